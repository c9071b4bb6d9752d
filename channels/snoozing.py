"""The times until which a conversation is usually hidden, in the time of whoever asks."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

MORNING = time(8)
MONDAY = 0


@dataclass(frozen=True)
class Choice:
    """A time with its name."""

    label: str | Promise
    until: datetime

    @property
    def value(self) -> str:
        """As a form sends it; with its offset, for the hours that are there twice or never."""
        return self.until.isoformat(timespec="minutes")


def snooze_choices(now: datetime | None = None) -> list[Choice]:
    """Later today, tomorrow morning, in three days, and the morning of the next Monday."""
    now = timezone.localtime(now)
    to_monday = (MONDAY - now.weekday()) % 7 or 7
    return [
        Choice(_("In three hours"), timezone.localtime(now.astimezone(UTC) + timedelta(hours=3))),
        Choice(_("Tomorrow morning"), _morning(now, 1)),
        Choice(_("In three days"), _morning(now, 3)),
        Choice(_("Next Monday"), _morning(now, to_monday)),
    ]


def _morning(now: datetime, days: int) -> datetime:
    day = now.date() + timedelta(days=days)
    return datetime.combine(day, MORNING, tzinfo=now.tzinfo)
