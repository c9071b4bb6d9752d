"""What may follow what in the life of a message: reports come late, twice and in any order, and
none of them takes a message back."""

from collections.abc import Mapping
from datetime import datetime

from channels.models import Message, MessageStatus

S = MessageStatus

# Status → those that it may follow. A message that reached the lead never fails; one that failed
# can only be tried anew; nothing follows on one that was withdrawn.
MAY_FOLLOW: Mapping[str, frozenset[str]] = {
    S.PREPARED: frozenset(),
    S.QUEUED: frozenset({S.FAILED}),
    S.UNKNOWN: frozenset({S.QUEUED}),
    S.SENT: frozenset({S.PREPARED, S.QUEUED, S.UNKNOWN}),
    S.DELIVERED: frozenset({S.QUEUED, S.UNKNOWN, S.SENT}),
    S.READ: frozenset({S.QUEUED, S.UNKNOWN, S.SENT, S.DELIVERED}),
    S.FAILED: frozenset({S.QUEUED, S.UNKNOWN, S.SENT}),
    S.WITHDRAWN: frozenset({S.PREPARED, S.QUEUED}),
    S.RECEIVED: frozenset(),
}
# A message that was read has been sent, whenever we hear of that.
PROGRESS = frozenset({S.SENT, S.DELIVERED, S.READ})
DATES = {
    S.SENT: "sent_at",
    S.DELIVERED: "delivered_at",
    S.READ: "read_at",
    S.FAILED: "failed_at",
    S.WITHDRAWN: "withdrawn_at",
}


def advance(message: Message, status: str, *, at: datetime) -> bool:
    """Note on the row, which the caller holds locked and saves, that it has come to `status`.

    The status only moves on; the date of a step that was overtaken is filled in late.

    Args:
        at: when it happened.

    Returns:
        Whether that is news.
    """
    follows = message.status in MAY_FOLLOW[status]
    overtaken = status in PROGRESS and message.status in PROGRESS
    if follows:
        message.status = status
    date = DATES.get(S(status))
    dated = (follows or overtaken) and date is not None and getattr(message, date) is None
    if dated and date:
        setattr(message, date, at)
    return follows or dated
