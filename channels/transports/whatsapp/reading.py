"""Webhook calls, read into facts. Pure, and patient with what it does not know.

A call holds entries, these hold changes, and these hold lists of items; each is read by itself, so
that one that is broken takes none of the others with it. Source: Cloud API, "Webhooks".
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from channels.models import MessageStatus, MessageTemplate
from channels.transports.facts import (
    Approval,
    Echo,
    Fact,
    Move,
    OptOut,
    Reaction,
    Report,
    Sender,
    Trouble,
)
from channels.transports.whatsapp.errors import Meaning, Problem, problem_of
from channels.transports.whatsapp.incoming import incoming_of
from channels.transports.whatsapp.json_access import (
    at_of,
    objects_in,
    part_of,
    text_of,
)
from channels.transports.whatsapp.senders import Book, sender_of

log = structlog.get_logger(__name__)

STATUSES = {
    "sent": MessageStatus.SENT,
    "delivered": MessageStatus.DELIVERED,
    "read": MessageStatus.READ,
    # A voice message that was heard.
    "played": MessageStatus.READ,
    "failed": MessageStatus.FAILED,
}
# Kinds of items that say something about a message, or about somebody.
NO_MESSAGES = {"reaction", "revoke", "system", "request_welcome"}
MOVES = {"user_changed_number", "customer_changed_number", "user_changed_user_id"}
PREFERENCES = {"stop": False, "resume": True, "signup": True}
T = MessageTemplate.VendorStatus
APPROVALS = {
    "APPROVED": T.APPROVED,
    "REINSTATED": T.APPROVED,
    "UNARCHIVED": T.APPROVED,
    "PENDING": T.PENDING,
    "IN_APPEAL": T.PENDING,
    "PAUSED": T.PAUSED,
    "LOCKED": T.PAUSED,
    "ARCHIVED": T.PAUSED,
    "REJECTED": T.REJECTED,
    "DISABLED": T.REJECTED,
    "PENDING_DELETION": T.REJECTED,
    "DELETED": T.REJECTED,
}
# Meta calls again for seven days, and replays read what is older: by then somebody may have mended
# what an account, or a template, was refused for.
FRESH = timedelta(hours=1)
LONGEST_ID, LONGEST_EMOJI = 255, 50
Item = Mapping[str, Any]


def read_call(body: bytes, number_id: str) -> Iterator[Fact]:
    """What a webhook call says about one of our numbers; junk says nothing.

    Args:
        number_id: Meta's id of the number; what is about another one is left out.
    """
    for change in changes_of(body):
        value = part_of(change, "value")
        about = number_of(value)
        if about not in ("", number_id):
            log.info("webhook_about_another_number", number=about)
            continue
        yield from _read_value(value, text_of(change, "field"))


def changes_of(body: bytes) -> Iterator[Item]:
    """The changes that a call tells of."""
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        log.info("webhook_without_json", bytes=len(body))
        return
    for entry in objects_in(call, "entry"):
        yield from objects_in(entry, "changes")


def number_of(value: Item) -> str:
    """Meta's id of the number that a change is about; empty where it is about none."""
    return text_of(part_of(value, "metadata"), "phone_number_id")


def _read_value(value: Item, field: str) -> Iterator[Fact]:
    book = Book(value)
    known = [name for name in READERS if name in value]
    for name in known:
        for item in objects_in(value, name):
            yield from READERS[name](item, book)
    if text_of(value, "message_template_name"):
        yield from _read_approval(value)
    elif not known:
        log.info("webhook_field_unknown", field=field)


def _read_message(item: Item, book: Book) -> Iterator[Fact]:
    sender = sender_of(item, book)
    if sender is None or not text_of(item, "id", LONGEST_ID):
        log.warning("webhook_message_unreadable", keys=sorted(item))
        return
    kind = text_of(item, "type")
    if kind == "reaction":
        yield from _read_reaction(item, sender)
    elif kind == "system":
        yield from _read_move(item, sender)
    elif kind != "request_welcome":
        yield incoming_of(item, sender)


def _read_echo(item: Item, book: Book) -> Iterator[Fact]:
    """What somebody has written in WhatsApp's app with the same number."""
    recipient = text_of(item, "to") or text_of(item, "to_user_id")
    if not recipient or not text_of(item, "id", LONGEST_ID):
        log.warning("webhook_echo_unreadable", keys=sorted(item))
    elif text_of(item, "type") not in NO_MESSAGES:
        yield Echo(incoming_of(item, book.sender(recipient)))


def _read_reaction(item: Item, sender: Sender) -> Iterator[Fact]:
    reaction = part_of(item, "reaction")
    if about := text_of(reaction, "message_id", LONGEST_ID):
        at = at_of(item) or datetime.now(UTC)
        yield Reaction(sender, about, text_of(reaction, "emoji", LONGEST_EMOJI), at)


def _read_move(item: Item, sender: Sender) -> Iterator[Fact]:
    """Somebody has another number, or another id."""
    told = part_of(item, "system")
    now = text_of(told, "wa_id") or text_of(told, "new_wa_id") or text_of(told, "user_id")
    if text_of(told, "type") in MOVES and now:
        previous = text_of(told, "customer") or text_of(item, "from") or sender.external_id
        yield Move(previous, Book({}).sender(now, text_of(told, "user_id"), sender.name))


def _read_status(item: Item, book: Book) -> Iterator[Fact]:
    status = STATUSES.get(text_of(item, "status"))
    vendor_id = text_of(item, "id", LONGEST_ID)
    if status is None or not vendor_id:
        log.info("webhook_status_unknown", status=text_of(item, "status"))
        return
    problem, at = next(_problems(item), None), at_of(item)
    message_id, attempt = _ours(text_of(item, "biz_opaque_callback_data"))
    yield Report(
        status=status,
        vendor_id=vendor_id,
        message_id=message_id,
        attempt=attempt,
        at=at,
        reason=str(problem.reason) if problem else "",
        template_status=problem.template_status if problem and _is_fresh(at) else "",
    )
    if problem:
        yield from _follow(problem, item, book)


def _follow(problem: Problem, item: Item, book: Book) -> Iterator[Fact]:
    """What a failure says beside that the message has failed."""
    recipient = text_of(item, "recipient_id") or text_of(item, "recipient_user_id")
    if problem.meaning == Meaning.ACCOUNT and _is_fresh(at_of(item)):
        yield Trouble(str(problem.reason), refuses=True)
    elif problem.meaning == Meaning.OPTED_OUT and recipient:
        sender = book.sender(recipient)
        proof = {"code": problem.code, "said": problem.said}
        yield OptOut(sender, source="vendor", at=at_of(item), proof=proof)


def _is_fresh(at: datetime | None) -> bool:
    return at is None or at > datetime.now(UTC) - FRESH


def _read_error(item: Item, book: Book) -> Iterator[Fact]:
    if problem := problem_of(item):
        yield Trouble(str(problem.reason), refuses=problem.meaning == Meaning.ACCOUNT)


def _read_preference(item: Item, book: Book) -> Iterator[Fact]:
    allowed = PREFERENCES.get(text_of(item, "value").lower())
    sender = sender_of(item, book)
    if sender is None or allowed is None:
        log.warning("webhook_preference_unreadable", keys=sorted(item))
        return
    proof = {name: text_of(item, name) for name in ("category", "value", "detail", "timestamp")}
    source = "whatsapp_preference"
    yield OptOut(sender, source=source, allowed=allowed, at=at_of(item), proof=proof)


def _read_approval(value: Item) -> Iterator[Fact]:
    status = APPROVALS.get(text_of(value, "event").upper())
    if status is not None:
        reason = text_of(part_of(value, "rejection_info"), "reason") or text_of(value, "reason")
        name = text_of(value, "message_template_name")
        language = text_of(value, "message_template_language")
        yield Approval(name, language, status, "" if reason == "NONE" else reason)


def _problems(item: Item) -> Iterator[Problem]:
    return filter(None, map(problem_of, objects_in(item, "errors")))


def _ours(tracker: str) -> tuple[UUID | None, int]:
    """Our id of a message and which try it was; see `content.body_of`."""
    message_id, _dot, attempt = tracker.partition(".")
    try:
        return UUID(message_id), int(attempt or 0)
    except ValueError:
        return None, 0


READERS: Mapping[str, Callable[[Item, Book], Iterator[Fact]]] = {
    "messages": _read_message,
    "message_echoes": _read_echo,
    "statuses": _read_status,
    "errors": _read_error,
    "user_preferences": _read_preference,
}
