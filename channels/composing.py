"""What the composer offers: texts to put in, templates for a window that has closed, and why
something may not be sent."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from channels.models import Account, Channel, Direction, Message, MessageTemplate, Purpose
from channels.queries import addresses_of, channels_of, hidden_addresses_of, templates_for
from channels.services.consent import why_not
from channels.services.conversations import assign_conversation
from channels.services.queueing import answered_subject
from channels.services.templates import fill_template
from channels.templating import Origin
from channels.threads import Thread
from leads.models import Lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import IdempotentResponse, User

MOST_SUGGESTIONS = 8


@dataclass(frozen=True)
class Suggestion:
    """A text as it reads for a lead.

    Attributes:
        text: what nobody knows stands in it as a variable.
        missing: the names of those.
    """

    template: MessageTemplate
    text: str
    subject: str = ""
    missing: Sequence[str] = ()


def new_key() -> str:
    """What a form carries so that it is carried out once, however often it is sent."""
    return uuid7().hex


def write_once(key: str, said: Mapping[str, str], write: Callable[[], Any]) -> bool:
    """Do what a form asks for, unless that was done before; returns whether it was done now.

    Args:
        key: what it may be done once for; empty: as often as it is asked for.
        said: what the form says. One whose answer was lost on the way may be sent again with other
            words: those are not what was done.

    Raises:
        ValidationError: what `write` says, or that something else was done under the key; the form
            may then be sent again.
    """
    with transaction.atomic():
        if key and not _is_first(key, said):
            return False
        write()
        return True


def _is_first(key: str, said: Mapping[str, str]) -> bool:
    fingerprint = hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()
    known, is_new = IdempotentResponse.objects.get_or_create(
        key=f"composer:{key}", defaults={"fingerprint": fingerprint}
    )
    if known.fingerprint != fingerprint:
        raise ValidationError(_("It went as you had written it before. Shall this go too?"))
    return bool(is_new)


def claim(message: Message, user: User) -> None:
    """Let whoever answers take care of a conversation that nobody took care of."""
    if message.conversation.assignee_id is None:
        assign_conversation(message.conversation, user)


def replies_for(lead: Lead, channel: str, user: User, words: str = "") -> list[Suggestion]:
    """The canned replies whose shortcut or name begins with `words`, as they read for a lead."""
    rows = templates_for(channel).filter(vendor_name="")
    if words:
        rows = rows.filter(Q(shortcut__istartswith=words) | Q(name__icontains=words))
    language = get_language() or ""
    found = sorted(rows[:100], key=lambda row: (not language.startswith(row.language), row.name))
    return _filled(found[:MOST_SUGGESTIONS], lead, user)


def approved_templates(lead: Lead, channel: str, user: User) -> list[Suggestion]:
    """What may be sent when the window has closed, as it reads for a lead."""
    approved = MessageTemplate.VendorStatus.APPROVED
    rows = templates_for(channel).filter(vendor_status=approved)
    return _filled(list(rows[:50]), lead, user)


def reachable_channels(thread: Thread) -> list[Channel]:
    """On which channels the lead can be written to, the thread's own where only a vendor knows
    under which number."""
    known = channels_of(thread.lead)
    if thread.channel not in known and hidden_addresses_of(thread.lead, thread.channel):
        known.append(thread.channel)
    return known


def why_not_now(thread: Thread, address: str) -> str | Promise | None:
    """Why nothing may be sent to an address; None: it may."""
    if not address:
        return None
    return why_not(thread.channel, address, Purpose.PERSONAL, thread.conversation)


def first_values(thread: Thread) -> dict[str, Any]:
    """What the form begins with: of an e-mail the subject, and who else reads it."""
    given: dict[str, Any] = {"account": thread.account}
    if thread.channel != Channel.EMAIL:
        return given
    messages = [entry.message for entry in thread.entries if entry.message]
    subjects = [message.subject for message in messages if message.subject]
    if subjects:
        given["subject"] = answered_subject(subjects[-1])
    theirs = [message for message in messages if message.direction == Direction.INBOUND]
    if theirs:
        given["cc"] = _others(theirs[-1], thread.lead)
    return given


def _others(message: Message, lead: Lead) -> list[str]:
    """Who else got a mail: neither the lead nor ourselves."""
    if not message.cc:
        return []
    ours = Account.objects.filter(channel=Channel.EMAIL).values_list("address", flat=True)
    known = {address.casefold() for address in (*ours, *addresses_of(lead, Channel.EMAIL))}
    return [address for address in message.cc if address.casefold() not in known]


def _filled(rows: Sequence[MessageTemplate], lead: Lead, user: User) -> list[Suggestion]:
    suggestions = []
    for template in rows:
        try:
            subject, body = fill_template(template, lead, user)
        except ValidationError:
            # It cannot be read: the settings page says so.
            continue
        missing = tuple(dict.fromkeys((*subject.missing, *body.missing)))
        suggestions.append(Suggestion(template, _shown(body), _shown(subject), missing))
    return suggestions


def _shown(filled: Any) -> str:
    return "".join(
        f"{{{{ {piece.text} }}}}" if piece.origin == Origin.MISSING else piece.text
        for piece in filled.pieces
    )
