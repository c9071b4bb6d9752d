"""The window of a replay: fresh events wait behind no more than it holds, and it lets others by."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events.models import Delivery, DeliveryStatus, Event, Replay
from events.models.delivery import UNTIL_RESUMED
from events.replays import advance
from events.replays.judging import MOST_UNANSWERED, WINDOW, Standing, room_for
from salesflow.accounts.models import Tenant
from tests.events.test_replay_running import begin, make_failed, planned

pytestmark = pytest.mark.usefixtures("transactional_db")
MORE = 30


@pytest.fixture
def replay(tenant: Tenant) -> Replay:
    """A replay that has released as many as the window holds."""
    make_failed(WINDOW + MORE)
    replay = begin(planned())
    assert released_by(replay) == WINDOW
    return replay


def released_by(replay: Replay) -> int:
    advance(replay.id)
    replay.refresh_from_db()
    return replay.released


def put_off(*, due_at: Any, **fields: Any) -> None:
    """What the workers write of events that they have taken, and have to do later."""
    Delivery.objects.filter(status=DeliveryStatus.PENDING).update(**fields)
    Event.unscoped.filter(status="pending").update(due_at=due_at)


def test_retries_of_tomorrow_do_not_keep_the_rest_waiting(replay: Replay) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    put_off(due_at=tomorrow, next_attempt_at=tomorrow, failures=1)
    assert released_by(replay) == WINDOW + MORE


def test_handler_that_is_paused_does_not_keep_the_rest_waiting(replay: Replay) -> None:
    put_off(due_at=UNTIL_RESUMED, next_attempt_at=UNTIL_RESUMED)
    assert released_by(replay) == WINDOW + MORE


def test_events_that_wait_for_others_do_not_keep_the_rest_waiting(replay: Replay) -> None:
    put_off(due_at=timezone.now() + timedelta(minutes=10), next_attempt_at=None)
    assert released_by(replay) == WINDOW + MORE


def test_calls_that_are_due_or_run_fill_the_window(replay: Replay) -> None:
    later = timezone.now() + timedelta(minutes=10)
    put_off(due_at=later, next_attempt_at=timezone.now(), tenant=replay.tenant)
    assert released_by(replay) == WINDOW
    put_off(due_at=later, next_attempt_at=later, status=DeliveryStatus.RUNNING)
    assert released_by(replay) == WINDOW


@pytest.mark.parametrize(
    ("unanswered", "asleep", "room"),
    [
        (0, 0, WINDOW),
        (WINDOW - 1, 0, 1),
        (WINDOW, 0, 0),
        (WINDOW + 5, 5, 0),
        (2 * WINDOW, 2 * WINDOW, WINDOW),
        (MOST_UNANSWERED - 7, MOST_UNANSWERED - 7, 7),
        (MOST_UNANSWERED, MOST_UNANSWERED, 0),
    ],
)
def test_room_is_what_the_window_and_the_bound_leave(
    unanswered: int, asleep: int, room: int
) -> None:
    standing = Standing(timezone.now(), 10 * WINDOW, unanswered=unanswered, asleep=asleep)
    assert room_for(Replay(), standing) == room
