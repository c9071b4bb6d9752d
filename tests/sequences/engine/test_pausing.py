"""A sequence that is paused while its people are moved: whichever comes first, nothing goes out
once it is paused."""

from collections.abc import Callable
from threading import Event as Signal
from threading import Thread

import pytest
from django.db import connection, transaction

from channels.models import Message, MessageStatus
from channels.sequences.by_hand import let_wait
from channels.sequences.enrolling import resume_enrolment
from channels.sequences.executing import advance_due
from channels.sequences.models import Enrolment, Sequence
from channels.sequences.pausing import pause_all, pause_sequence, resume_sequence
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.threads import in_own_connection
from tests.sequences.engine.clock import Clock
from tests.sequences.engine.factories import (
    again,
    allow,
    enrol_one,
    linkedin,
    mail,
    make_contact,
    make_sequence,
    sent_to,
)
from tests.waiting import wait_until

WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
def sequence(team: Tenant) -> Sequence:
    return make_sequence(mail("one"))


@pytest.mark.django_db(transaction=True)
def test_pause_waits_for_the_batch_under_way_and_takes_back_what_it_queued(
    team: Tenant, clock: Clock, sequence: Sequence
) -> None:
    enrolment = enrol_one(sequence)
    pausing = Thread(
        target=in_own_connection, args=[_of(team, lambda: pause_sequence(sequence, actor=None))]
    )
    with transaction.atomic():
        assert advance_due(at=clock.now) == 1
        pausing.start()
        wait_until(_somebody_waits, "the pause waits for the batch")
        assert Sequence.objects.get().state == "active"
    pausing.join()
    assert Message.objects.get().status == MessageStatus.WITHDRAWN
    clock.run()
    clock.skip(minutes=1)
    clock.run()
    assert (again(enrolment).delay, sent_to(enrolment)) == ("held", [])
    resume_sequence(sequence, actor=None)
    clock.skip(minutes=15)
    clock.run()
    assert sent_to(enrolment) == ["one"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "pause",
    [lambda sequence: pause_sequence(sequence, actor=None), lambda _: pause_all(actor=None)],
)
def test_batch_passes_over_whose_sequence_is_just_being_paused(
    team: Tenant, clock: Clock, sequence: Sequence, pause: Callable[[Sequence], object]
) -> None:
    enrolment = enrol_one(sequence)
    moved, may_commit, is_paused = [], Signal(), Signal()

    def hold() -> None:
        with transaction.atomic():
            pause(sequence)
            is_paused.set()
            may_commit.wait(60)

    pausing = Thread(target=in_own_connection, args=[_of(team, hold)])
    pausing.start()
    is_paused.wait(60)
    moved.append(advance_due(at=clock.now))
    may_commit.set()
    pausing.join()
    assert moved == [0]
    clock.run()
    assert (again(enrolment).delay, sent_to(enrolment)) == ("held", [])
    assert not Message.objects.exists()


def test_pause_takes_back_what_is_under_way_to_somebody_who_is_paused(
    clock: Clock, sequence: Sequence
) -> None:
    enrolment = enrol_one(sequence)
    advance_due(at=clock.now)
    Enrolment.objects.filter(pk=enrolment.pk).update(state="paused", reason="away")
    pause_sequence(sequence, actor=None)
    assert Message.objects.get().status == MessageStatus.WITHDRAWN


def test_lead_that_is_paused_gets_what_was_queued_when_it_goes_on(
    clock: Clock, sequence: Sequence
) -> None:
    enrolment = enrol_one(sequence)
    advance_due(at=clock.now)
    let_wait(enrolment)
    clock.run()
    clock.skip(hours=1)
    clock.run()
    assert (again(enrolment).state, sent_to(enrolment)) == ("paused", [])
    resume_enrolment(again(enrolment))
    clock.run()
    assert sent_to(enrolment) == ["one"]
    assert again(enrolment).reason == "finished"


@pytest.mark.usefixtures("team")
def test_lead_that_is_paused_keeps_what_is_to_be_sent_by_hand(clock: Clock) -> None:
    lead = make_contact(profiles=["https://www.linkedin.com/in/ada"])
    allow(lead, "linkedin", lead.profiles[0])
    enrolment = enrol_one(make_sequence(linkedin()), lead)
    clock.run()
    let_wait(enrolment)
    assert Message.objects.get().status == MessageStatus.PREPARED


def _of(team: Tenant, act: Callable[[], object]) -> Callable[[], object]:
    """The same for the team, in a thread that knows of none."""

    def run() -> object:
        with tenant_context(team):
            return act()

    return run


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        [waiting] = cursor.fetchone()
    return bool(waiting)
