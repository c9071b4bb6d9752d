"""The customer service window: after so long without a word from the lead, only templates may go.

Source: WhatsApp Business Platform, "Customer service windows": 24 hours from the customer's last
message to the number; what we send does not extend it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from channels.models import Account, Automatic, Conversation, Direction, Message
from channels.transports import transport_named


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
    hours = transport_named(account.transport).window_hours
    if hours is None:
        return Window(is_limited=False)
    rows = Message.objects.filter(conversation=conversation, direction=Direction.INBOUND)
    own = rows.filter(account=account, automatic=Automatic.NO).order_by("-created_at", "-id")
    last = own.values_list("created_at", flat=True).first()
    return Window(is_limited=True, closes_at=last + timedelta(hours=hours) if last else None)
