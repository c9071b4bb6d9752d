"""What contacts do with what they get: most do nothing."""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

from channels.models import Message
from channels.services.consent import mark_bounced, opt_out
from channels.services.messages import receive_message
from leads.models import Lead
from leads.services import lose_lead, win_lead
from leads.services.meetings import book_meeting
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant

ABSENCE = timedelta(days=6)


def _reply(message: Message, now: datetime) -> None:
    _write(message, in_reply_to=message)


def _write_anew(message: Message, now: datetime) -> None:
    _write(message)


def _write_elsewhere(message: Message, now: datetime) -> None:
    _write(message, channel="whatsapp", address=f"+49151{message.lead_id.int % 10**8:08}")


def _answer_by_program(message: Message, now: datetime) -> None:
    _write(message, automatic="auto_reply")


def _be_away(message: Message, now: datetime) -> None:
    returns = (now + ABSENCE).replace(hour=0, minute=0)
    _write(message, automatic="out_of_office", details={"returns_at": returns.isoformat()})


def _opt_out(message: Message, now: datetime) -> None:
    opt_out(message.lead, channel="email", address=message.address, source="unsubscribe_link")


def _bounce(message: Message, now: datetime) -> None:
    mark_bounced(
        message.lead,
        channel="email",
        address=message.address,
        hard=True,
        reason="no such user",
        message_id=message.pk,
    )


def _meet(message: Message, now: datetime) -> None:
    book_meeting(message.lead, starts_at=now + timedelta(days=2), title="Demo")


def _win(message: Message, now: datetime) -> None:
    win_lead(message.lead)


def _lose(message: Message, now: datetime) -> None:
    lose_lead(message.lead, reason="Too dear")


def _write(message: Message, **fields: object) -> None:
    given = {"channel": "email", "address": message.address, "body": "Hello", **fields}
    receive_message(message.lead, **given)  # type: ignore[arg-type]


# What they do, and how many of a hundred mails make somebody do it.
DEEDS: dict[str, tuple[Callable[[Message, datetime], None], int]] = {
    "reply": (_reply, 4),
    "write": (_write_anew, 2),
    "elsewhere": (_write_elsewhere, 1),
    "program": (_answer_by_program, 4),
    "away": (_be_away, 4),
    "opt_out": (_opt_out, 2),
    "bounce": (_bounce, 1),
    "meet": (_meet, 2),
    "win": (_win, 1),
    "lose": (_lose, 1),
}


class Deed(NamedTuple):
    """What a lead did, by its name in `DEEDS`."""

    lead_id: UUID
    name: str
    at: datetime


@dataclass
class Contacts:
    """Everybody's contacts. The first mails make somebody do each of the deeds, so that none is
    left out by chance."""

    random: Random
    deeds: list[Deed] = field(default_factory=list)
    _owed: list[str] = field(default_factory=lambda: [*DEEDS])
    _plans: list[tuple[datetime, int, str, UUID]] = field(default_factory=list)
    _seen: set[UUID] = field(default_factory=set)

    def read(self, since: datetime) -> None:
        """Read what has come since then, and make up their minds."""
        rows = Message.unscoped.filter(direction="outbound", sent_at__gte=since)
        for message_id, sent_at in rows.order_by("id").values_list("id", "sent_at"):
            if message_id in self._seen or sent_at is None:
                continue
            self._seen.add(message_id)
            deed = self._choose()
            if deed:
                at = sent_at + timedelta(minutes=self.random.randrange(1, 4 * 24 * 60))
                heapq.heappush(self._plans, (at, len(self._seen), deed, message_id))

    @property
    def next_at(self) -> datetime | None:
        """When somebody does something next."""
        return self._plans[0][0] if self._plans else None

    def act(self, now: datetime) -> None:
        """Do what was planned until now."""
        while self._plans and self._plans[0][0] <= now:
            _at, _number, deed, message_id = heapq.heappop(self._plans)
            message = Message.unscoped.get(pk=message_id)
            tenant = Tenant.objects.get(pk=message.tenant_id)
            with tenant_context(tenant):
                if not Lead.objects.get(pk=message.lead_id).is_open:
                    continue
                DEEDS[deed][0](message, now)
            self.deeds.append(Deed(message.lead_id, deed, now))

    @property
    def counts(self) -> Counter[str]:
        """What was done how often."""
        return Counter(deed.name for deed in self.deeds)

    def _choose(self) -> str:
        if self._owed:
            return self._owed.pop(0)
        drawn = self.random.randrange(100)
        for deed, (_act, share) in DEEDS.items():
            drawn -= share
            if drawn < 0:
                return deed
        return ""
