"""A reply that comes in at the very moment at which a step is due, or its message is handed over:
whichever is committed first counts, and after a reply nothing goes out."""

from dataclasses import dataclass, field
from random import Random
from threading import Event as Signal
from threading import Thread
from uuid import UUID

import pytest

from channels.models import Message
from channels.sequences.executing import advance_due
from channels.sequences.models import Enrolment, Execution
from events.external import run_due
from events.settling import settle_due
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.threads import in_own_connection
from tests.sequences.engine.clock import Clock
from tests.sequences.engine.factories import enrol, hours, mail, make_contact, make_sequence, reply
from tests.waiting import wait_until

PEOPLE = 24
# Seconds within which a step is executed, or a message handed over, about.
MOMENT = 0.02

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Replies:
    """Replies of people in the order in which the engine comes to them, each just before their
    step or just before their mail is handed over; the first one comes before, the last one after.

    Attributes:
        before: leads whose mail was not about to go when their reply was in.
        may_begin: the first reply is in.
        may_end: the engine has done what was due.
    """

    tenant: Tenant
    enrolments: list[Enrolment]
    random: Random
    before: set[UUID] = field(default_factory=set)
    may_begin: Signal = field(default_factory=Signal)
    may_end: Signal = field(default_factory=Signal)

    def come_in(self) -> None:
        """Write them all."""
        with tenant_context(self.tenant):
            for number, enrolment in enumerate(self.enrolments):
                self._wait_for_moment(number)
                reply(enrolment.lead)
                written = Message.objects.filter(lead=enrolment.lead, direction="outbound")
                if not written.filter(attempts__gt=0).exists():
                    self.before.add(enrolment.lead_id)
                self.may_begin.set()

    def _wait_for_moment(self, number: int) -> None:
        """Every other one replies while their step is executed, the rest while their mail is handed
        over."""
        if number == len(self.enrolments) - 1:
            self.may_end.wait(60)
        elif number > 1:
            executed = self.enrolments[number - number % 2]
            wait_until(Execution.objects.filter(enrolment=executed).exists, "it is their turn", 60)
            Signal().wait(self.random.uniform(0, MOMENT))


def test_nothing_goes_out_after_a_reply(team: Tenant, clock: Clock) -> None:
    sequence = make_sequence(mail("one"), hours(1), mail("two"))
    enrolments = enrol(sequence, *(make_contact() for _ in range(PEOPLE)))
    replies = Replies(team, sorted(enrolments, key=lambda row: row.pk), Random(6))
    writer = Thread(target=in_own_connection, args=[replies.come_in])
    writer.start()
    replies.may_begin.wait(60)
    _work(clock)
    replies.may_end.set()
    writer.join()
    clock.skip(hours=2)
    _work(clock)
    sent = set(Message.objects.exclude(sent_at=None).values_list("lead_id", flat=True))
    assert sent & replies.before == set()
    assert sent | replies.before == {each.lead_id for each in enrolments}
    assert replies.enrolments[0].lead_id in replies.before
    assert replies.enrolments[-1].lead_id in sent
    reasons = set(Enrolment.objects.values_list("state", "reason"))
    assert reasons <= {("finished", "replied"), ("finished", "inbound")}
    assert not Execution.objects.filter(number=3).exists()


def _work(clock: Clock) -> None:
    """What workers do, person by person; whose reply is just coming in is passed over, and due."""
    due = Enrolment.objects.filter(state="active", next_step_at__lte=clock.now)
    while due.exists():
        advance_due(limit=1, at=clock.now)
        while settle_due() + run_due():
            pass
