"""The sweeper's messages: enough to wake everybody, and no heap of them where nobody listens."""

from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from events.models import Event
from events.nudging import MOST_AT_ONCE
from events.sweeping import PATIENCE, RARELY, Waker, wake_workers
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event

NOW = timezone.now()


def _messages(waker: Waker, *oldest: datetime | None) -> list[int]:
    return [waker.messages(moment) for moment in oldest]


def test_one_message_for_each_worker_at_first_then_one() -> None:
    assert _messages(Waker(), NOW, NOW, NOW) == [MOST_AT_ONCE, 1, 1]


def test_all_workers_are_woken_again_where_somebody_has_worked() -> None:
    later = NOW + timedelta(seconds=1)
    assert _messages(Waker(), NOW, NOW, later, later) == [MOST_AT_ONCE, 1, MOST_AT_ONCE, 1]


def test_all_workers_are_woken_again_after_a_pause() -> None:
    assert _messages(Waker(), NOW, None, NOW, None) == [MOST_AT_ONCE, 0, MOST_AT_ONCE, 0]


def test_hardly_a_message_is_sent_where_nobody_has_worked_for_long() -> None:
    sent = _messages(Waker(), *[NOW] * (PATIENCE + 100 * RARELY))
    assert set(sent[1:PATIENCE]) == {1}
    assert sum(sent[PATIENCE:]) == 100


def test_second_look_at_the_same_event_sends_one_message(tenant: Tenant) -> None:
    event = make_event()
    due = F("due_at") - timedelta(seconds=5)
    Event.unscoped.filter(id=event.id).update(due_at=due)
    assert [wake_workers(), wake_workers()] == [MOST_AT_ONCE, 1]
    Event.unscoped.filter(id=event.id).update(due_at=due)
    assert wake_workers() == MOST_AT_ONCE
