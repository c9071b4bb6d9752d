"""Who has written: the lead behind an incoming message; a stranger becomes one.

In this order: the conversation that its address names, the message that it answers, the identity at
the account, the address. What no person wrote makes no lead.
"""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from channels.models import Account, Automatic, Channel, Conversation, Identity, Message
from channels.queries import addresses_of
from channels.transports import Incoming, Sender
from leads.contact_points import normalise, readable
from leads.models import ContactPoint, Lead
from leads.services import create_lead
from salesflow.accounts.models import Membership


def identify(account: Account, incoming: Incoming, answered: Message | None) -> Lead | None:
    """The lead who has written; None where nobody should become one."""
    sender = incoming.sender
    lead = (
        _of_conversation(incoming)
        or (answered.lead if answered else None)
        or _of_identity(account, sender)
        or _of_address(account, sender)
    )
    if lead is None:
        if incoming.automatic != Automatic.NO or not incoming.vendor_id or _is_ours(sender):
            return None
        lead = _make_lead(account, sender)
    elif _is_colleague(account, sender, lead):
        return None
    remember(account, sender, lead)
    return lead


def _of_conversation(incoming: Incoming) -> Lead | None:
    if incoming.conversation_id is None:
        return None
    rows = Conversation.objects.select_related("lead").filter(pk=incoming.conversation_id)
    conversation = rows.first()
    return conversation.lead if conversation else None


def _of_identity(account: Account, sender: Sender) -> Lead | None:
    ids = [sender.external_id, *sender.aliases]
    rows = Identity.objects.select_related("lead").filter(account=account, external_id__in=ids)
    found = {identity.external_id: identity.lead for identity in rows}
    return next((found[external_id] for external_id in ids if external_id in found), None)


def _of_address(account: Account, sender: Sender) -> Lead | None:
    if not sender.address:
        return None
    kind = Channel(account.channel).contact_kind
    ways = [sender.address, *sender.alternatives]
    points = ContactPoint.objects.select_related("lead").filter(kind=kind, value__in=ways)
    found = {point.value: point.lead for point in points}
    return next((found[address] for address in ways if address in found), None)


def _is_ours(sender: Sender) -> bool:
    """Whether a colleague, or an account of ours, wrote it: a copy of our own mail."""
    address = sender.address
    if not address:
        return False
    if Account.objects.filter(address__iexact=address).exists():
        return True
    members = Membership.objects.filter(user__email=address)
    found: bool = members.exists()
    return found


def _is_colleague(account: Account, sender: Sender, lead: Lead) -> bool:
    """Whether one of us has answered to all: that is no word of the lead's."""
    if account.channel != Channel.EMAIL or sender.address in addresses_of(lead, account.channel):
        return False
    return _is_ours(sender)


def _make_lead(account: Account, sender: Sender) -> Lead:
    kind = Channel(account.channel).contact_kind
    field = {"email": "emails", "phone": "phones", "linkedin": "profiles"}[kind]
    points = _readable_points(kind, sender.address)
    name = sender.name.strip() or (readable(points[0]) if points else sender.external_id)
    try:
        with transaction.atomic():
            lead = create_lead(name=name[:200], source=account.channel, **{field: points})  # type: ignore[arg-type]
            # Of a stranger without an address that could be kept with the lead, the identity alone
            # tells who they are when they write again, or that somebody else made them a lead at
            # the same moment.
            if account.channel != Channel.EMAIL or not points:
                Identity.objects.create(account=account, external_id=sender.external_id, lead=lead)
            return lead
    except (ValidationError, IntegrityError):
        # Somebody else made the lead at the same moment.
        if known := _of_identity(account, sender) or _of_address(account, sender):
            return known
        raise


def _readable_points(kind: str, address: str) -> list[str]:
    """The address as a contact point; none where it is no address that could be written to."""
    try:
        return normalise(kind, [address]) if address else []
    except ValidationError:
        return []


def remember(account: Account, sender: Sender, lead: Lead) -> None:
    """Keep under which ids an account's vendor knows a lead; the one known first stays."""
    if account.channel == Channel.EMAIL:
        # The address says it all.
        return
    defaults = {"lead": lead, "name": sender.name[:200]}
    for external_id in (sender.external_id, *sender.aliases):
        Identity.objects.get_or_create(account=account, external_id=external_id, defaults=defaults)


def address_of(lead: Lead, account: Account, sender: Sender) -> str:
    """Under which address we know a sender: a vendor may write a number otherwise, or hide it.

    So what they want for that address, such as to opt out, holds for the one that we write to.
    """
    ways = (sender.address, *sender.alternatives)
    known = addresses_of(lead, account.channel)
    if sender.address:
        return next((address for address in ways if address in known), sender.address)
    rows = Message.objects.filter(lead=lead, channel=account.channel, address__in=known)
    last = rows.order_by("-created_at", "-id").values_list("address", flat=True).first()
    return last or sender.external_id
