"""The customer service window: after so long without a word from the lead, only templates may go.

Source: WhatsApp Business Platform, "Customer service windows": 24 hours from the customer's last
message to the number; what we send does not extend it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from channels.models import Account, Automatic, Conversation, Direction
from channels.transports import transport_named

# The index message_in_thread leads to the last one of each at once.
LAST_WRITTEN = """
    SELECT pair.conversation, pair.account, last.created_at
    FROM unnest(%(conversations)s::uuid[], %(accounts)s::uuid[]) AS pair (conversation, account)
    CROSS JOIN LATERAL (
        SELECT created_at FROM channels_message
        WHERE conversation_id = pair.conversation AND account_id = pair.account
            AND direction = %(inbound)s AND automatic = %(by_a_person)s
        ORDER BY created_at DESC, id DESC LIMIT 1
    ) AS last
"""


@dataclass(frozen=True)
class Window:
    """Until when free text may go.

    Attributes:
        closes_at: None where the lead has never written through this account.
        is_limited: False where the channel knows no such window: then it is always open.
    """

    is_limited: bool
    closes_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether free text may go now."""
        return not self.is_limited or bool(self.closes_at and self.closes_at > timezone.now())


def window_of(conversation: Conversation, account: Account) -> Window:
    """The window of a conversation at one of our accounts."""
    return windows_of([(conversation.pk, account)])[conversation.pk, account.pk]


def windows_of(pairs: Iterable[tuple[UUID, Account]]) -> dict[tuple[UUID, UUID], Window]:
    """The windows of conversations at accounts, by the ids of both, in one query at most.

    Args:
        pairs: of a conversation's id, which the caller has read as the tenant's, and an account.
    """
    hours = {
        (conversation, account.pk): transport_named(account.transport).window_hours
        for conversation, account in pairs
    }
    last = _last_written([pair for pair, limit in hours.items() if limit is not None])
    return {
        pair: Window(is_limited=False) if limit is None else _closing(last.get(pair), limit)
        for pair, limit in hours.items()
    }


def _closing(written_at: datetime | None, hours: int) -> Window:
    closes_at = written_at + timedelta(hours=hours) if written_at else None
    return Window(is_limited=True, closes_at=closes_at)


def _last_written(pairs: list[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], datetime]:
    if not pairs:
        return {}
    conversations, accounts = map(list, zip(*pairs, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            LAST_WRITTEN,
            {
                "conversations": conversations,
                "accounts": accounts,
                "inbound": Direction.INBOUND.value,
                "by_a_person": Automatic.NO.value,
            },
        )
        return {(conversation, account): at for conversation, account, at in cursor.fetchall()}
