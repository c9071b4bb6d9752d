"""Who has written: the lead behind an incoming message; a stranger becomes one.

In this order: the conversation that its address names, the message that it answers, the identity at
the account, the address. What no person wrote makes no lead.
"""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from channels.models import Account, Automatic, Channel, Conversation, Identity, Message
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
    _remember(account, sender, lead)
    return lead


def _of_conversation(incoming: Incoming) -> Lead | None:
    if incoming.conversation_id is None:
        return None
    rows = Conversation.objects.select_related("lead").filter(pk=incoming.conversation_id)
    conversation = rows.first()
    return conversation.lead if conversation else None


def _of_identity(account: Account, sender: Sender) -> Lead | None:
    rows = Identity.objects.select_related("lead").filter(
        account=account, external_id=sender.external_id
    )
    identity = rows.first()
    return identity.lead if identity else None


def _of_address(account: Account, sender: Sender) -> Lead | None:
    if not sender.address:
        return None
    kind = Channel(account.channel).contact_kind
    points = ContactPoint.objects.select_related("lead").filter(kind=kind, value=sender.address)
    point = points.first()
    return point.lead if point else None


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


def _make_lead(account: Account, sender: Sender) -> Lead:
    kind = Channel(account.channel).contact_kind
    field = {"email": "emails", "phone": "phones", "linkedin": "profiles"}[kind]
    points = _readable_points(kind, sender.address)
    name = sender.name.strip() or (readable(points[0]) if points else sender.external_id)
    try:
        with transaction.atomic():
            return create_lead(name=name[:200], source=account.channel, **{field: points})  # type: ignore[arg-type]
    except (ValidationError, IntegrityError):
        # Somebody else made the lead at the same moment.
        if lead := _of_address(account, sender):
            return lead
        raise


def _readable_points(kind: str, address: str) -> list[str]:
    """The address as a contact point; none where it is no address that could be written to."""
    try:
        return normalise(kind, [address]) if address else []
    except ValidationError:
        return []


def _remember(account: Account, sender: Sender, lead: Lead) -> None:
    if account.channel == Channel.EMAIL:
        # The address says it all.
        return
    Identity.objects.get_or_create(
        account=account,
        external_id=sender.external_id,
        defaults={"lead": lead, "name": sender.name[:200]},
    )
