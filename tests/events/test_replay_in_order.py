"""Replays of events that an ordered handler takes one after the other: they come to an end."""

from collections.abc import Iterator

import pytest
from django.urls import reverse

from events.models import Delivery, Event, Replay
from events.replays.progress import waits_of
from events.retry import RetryPolicy
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.test_order import Recorder
from tests.events.test_replay_running import TYPE, begin, counts, go_on, make_failed, planned
from tests.staff import client_of, make_superuser

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def recorder(tenant: Tenant) -> Iterator[Recorder]:
    """Ordered by now; what it handled before, it took as it came."""
    recorder = Recorder()
    retry = RetryPolicy(max_attempts=2, base=3600)
    with handler_of(TYPE, function=recorder, name="records", ordered=True, retry=retry):
        yield recorder


def make_pair() -> tuple[Event, Event]:
    """Two events of one subject that failed, each by itself."""
    first, second = make_failed(2, "records")
    return first, second


def error_of(event: Event) -> str:
    return str(Delivery.objects.get(event=event).error)


def test_event_fails_behind_one_that_was_given_up_and_is_not_replayed(recorder: Recorder) -> None:
    first, second = make_pair()
    replay = begin(planned(ids=(second.pk,)), has_canary=True)
    go_on(replay)
    go_on(replay)
    assert (replay.status, counts(replay)) == ("finished", {"failed": 1})
    assert str(first.pk) in error_of(second)
    assert Event.unscoped.get(pk=second.pk).status == "failed"
    go_on(begin(planned()))
    assert recorder.done == [0, 1]


def test_event_fails_behind_one_of_its_own_replay_that_is_given_up_again(
    recorder: Recorder,
) -> None:
    first, second = make_pair()
    recorder.broken = {0}
    replay = begin(planned())
    go_on(replay)
    assert counts(replay) == {"released": 2}
    Delivery.objects.filter(event=first).update(next_attempt_at=None)
    for _turn in range(2):
        go_on(replay)
    assert (replay.status, counts(replay)) == ("finished", {"failed": 2})
    assert "PredecessorFailed" in error_of(second)
    assert str(first.pk) in error_of(second)


def test_event_that_waits_for_one_on_its_way_says_so(recorder: Recorder) -> None:
    first, second = make_pair()
    recorder.broken = {0}
    replay = begin(planned())
    go_on(replay)
    waits = [(wait.handler, wait.number, wait.why, wait.behind) for wait in waits_of(replay)]
    assert waits == [("records", 1, "order", first.pk), ("records", 1, "retry", None)]
    page = client_of(make_superuser()).get(reverse("admin:events_replay_change", args=[replay.pk]))
    assert "1 waits for an earlier event of its subject" in page.content.decode()
    assert reverse("admin:events_event_change", args=[first.pk]) in page.content.decode()
    recorder.broken = set()
    Delivery.objects.filter(event=first).update(next_attempt_at=None)
    for _turn in range(2):
        go_on(replay)
    assert (replay.status, recorder.done) == (Replay.Status.FINISHED, [0, 1])
    assert Event.unscoped.get(pk=second.pk).status == "processed"
