"""A replay whose workers, sweeper and scheduler are killed again and again comes to its end."""

import os
import signal
from pathlib import Path

import pytest
from django.utils import timezone

from events import replays
from events.models import Delivery, Event, Replay, ReplayItem
from events.publishing import Draft, publish_many
from events.replays import plan_replay
from events.selections import Selection
from leads.payloads import NoteAdded
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.chaos.services import Crew, at_work
from tests.thirdparty.models import Greeting
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

# As many as you have time for: REPLAY_EVENTS=20000.
EVENTS = int(os.environ.get("REPLAY_EVENTS", "3000"))
PATIENCE = 120.0 + EVENTS / 20
# Who is killed when so much of the replay is done.
KILLS = {
    0.1: ("worker",),
    0.3: ("sweeper", "beat"),
    0.5: ("worker", "sweeper"),
    0.7: ("beat", "sweeper"),
}
HANDLER = "greet_for_note"


def make_failed(count: int) -> None:
    """Events that failed at the handler, which works by now."""
    events = publish_many(
        Draft(NoteAdded(lead_id=uuid7(), note_id=uuid7(), author_id=None, body="Called."))
        for _ in range(count)
    )
    Event.unscoped.update(status="failed", processed_at=timezone.now(), error_message="broken")
    Delivery.objects.bulk_create(
        Delivery(event=event, handler=HANDLER, status="failed", attempts=1) for event in events
    )


def kill(crew: Crew, names: tuple[str, ...]) -> None:
    """End them as the kernel does when it runs out of memory, with all their children."""
    for service in crew.running(*names):
        crew.doom(service)
        service.signal_group(signal.SIGKILL)


def done(crew: Crew, replay: Replay) -> float:
    """Which share of it has answered; whoever is dead is started anew meanwhile."""
    crew.tend()
    replay.refresh_from_db()
    return (replay.succeeded + replay.failed + replay.skipped) / replay.selected


def test_killed_replay_finishes_by_itself_and_runs_every_event_once(
    tenant: Tenant, service_environment: dict[str, str]
) -> None:
    make_failed(EVENTS)
    replay = plan_replay(Selection(handler=HANDLER), Event.unscoped.all(), actor=None)
    with at_work(service_environment, Path(os.environ["SALESFLOW_HOME"])) as crew:
        replays.start(replay, actor=None, reason="mended", has_canary=True)
        for share, names in KILLS.items():
            said = f"{share:.0%} are done"
            wait_until(lambda: done(crew, replay) >= share, said, PATIENCE)  # noqa: B023
            kill(crew, names)
        wait_until(
            lambda: done(crew, replay) == 1 and replay.status == Replay.Status.FINISHED,
            "the replay has finished",
            PATIENCE,
        )
    assert (replay.succeeded, replay.failed, replay.skipped) == (EVENTS, 0, 0)
    assert ReplayItem.objects.filter(replay=replay, status="succeeded").count() == EVENTS
    greeted = Greeting.objects.values_list("event_id", flat=True)
    assert len(greeted) == len(set(greeted)) == EVENTS
    assert Delivery.objects.filter(status="succeeded", attempts=2).count() == EVENTS
    assert crew.deaths.total() == 0
    killed = {name for names in KILLS.values() for name in names}
    assert all(service.starts > 1 for service in crew.services if service.name in killed)
