"""What vendors tell beside messages and their fate: reactions, new numbers, templates, trouble."""

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction

from channels.identifying import remember
from channels.models import Account, Channel, Identity, Message, MessageTemplate
from channels.queries import addresses_of, hidden_addresses_of
from channels.services.accounts import note_error, stop_account
from channels.services.consent import opt_out, standing_of
from channels.services.messages import known_message, lock_message
from channels.transports.facts import Approval, Move, Reaction, Sender, Trouble
from leads.models import Lead
from leads.services import edit_lead

log = structlog.get_logger(__name__)


def take_note(account: Account, fact: Reaction | Move | Approval | Trouble) -> None:
    """Write down one thing that a vendor tells; to do it twice changes nothing."""
    match fact:
        case Reaction():
            take_in_reaction(account, fact)
        case Move():
            take_in_move(account, fact)
        case Approval():
            take_in_approval(account, fact)
        case Trouble():
            take_in_trouble(account, fact)


@transaction.atomic
def take_in_reaction(account: Account, reaction: Reaction) -> Message | None:
    """The message with the reaction in its `details`: by sender, the sign and when they gave it.

    A sign that was taken back stays as an empty one, so that an older one that comes late does not
    bring it back.
    """
    known = known_message(account.channel, reaction.vendor_id)
    if known is None:
        log.info("reaction_to_nothing", account=str(account.pk))
        return None
    message = lock_message(known.pk)
    reactions = dict(message.details.get("reactions", {}))
    at, who = reaction.at.isoformat(), reaction.sender.external_id
    if at >= reactions.get(who, {}).get("at", ""):
        reactions[who] = {"emoji": reaction.emoji, "at": at}
        message.details = {**message.details, "reactions": reactions}
        message.save(update_fields=["details"])
        message.conversation.save(update_fields=["changed_at"])
    return message


def take_in_move(account: Account, move: Move) -> Lead | None:
    """The lead, who is known by the new id too, and reached at the new address first."""
    rows = Identity.objects.select_related("lead").filter(account=account)
    identity = rows.filter(external_id=move.previous).first()
    if identity is None:
        log.info("move_of_nobody", account=str(account.pk))
        return None
    lead: Lead = identity.lead
    remember(account, move.sender, lead)
    _carry_opt_out(account, lead, move.sender)
    if address := move.sender.address:
        _add_number(account, lead, address)
    return lead


def take_in_approval(account: Account, approval: Approval) -> int:
    """Note what became of a template; returns how many of ours are meant."""
    rows = MessageTemplate.objects.filter(
        channel=account.channel, vendor_name=approval.name, vendor_language=approval.language
    )
    changed: int = rows.update(vendor_status=approval.status)
    log.info("template_approval", template=approval.name, status=approval.status, known=changed)
    return changed


def note_template(message: Message, status: str) -> None:
    """Note what a vendor says of the template when it refuses a message that was made from it."""
    name, language = message.details.get("name"), message.details.get("language")
    if isinstance(name, str) and isinstance(language, str) and message.account:
        take_in_approval(message.account, Approval(name, language, status))


def take_in_trouble(account: Account, trouble: Trouble) -> None:
    """Note it with the account, and send nothing more where the vendor would not take it."""
    note_error(account.pk, trouble.reason)
    if trouble.refuses:
        stop_account(account.pk, trouble.reason)


def _carry_opt_out(account: Account, lead: Lead, sender: Sender) -> None:
    """Who does not want to be written to does not want it under another number either."""
    channel, now = account.channel, sender.address or sender.external_id
    before = {*addresses_of(lead, channel), *hidden_addresses_of(lead, channel)} - {now}
    for address in sorted(before):
        standing = standing_of(channel, address)
        if standing and standing.opted_out_at:
            opt_out(
                lead,
                channel=channel,
                address=now,
                source=standing.opt_out_source,
                proof={"moved_from": address},
                at=standing.opted_out_at,
            )


def _add_number(account: Account, lead: Lead, address: str) -> None:
    if Channel(account.channel) != Channel.WHATSAPP or address in lead.phones:
        return
    try:
        edit_lead(lead, phones=[address, *lead.phones])
    except ValidationError as error:
        # Another lead has that number: a person has to decide who they are.
        log.warning("move_not_noted", lead=str(lead.pk), problem=error.messages)
