"""The whole path with real processes: a commit here, a handler in a worker there."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from events import replay_event
from events.models import Attempt, Event, EventStatus
from events.publishing import Draft, event_of
from leads.payloads import NoteAdded
from leads.services import add_note, create_lead
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event
from tests.factories import make_user
from tests.thirdparty.handlers import breakdown
from tests.thirdparty.models import Greeting
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def broken_handler() -> Iterator[Path]:
    breakdown().write_text("the printer is out of paper")
    yield breakdown()
    breakdown().unlink(missing_ok=True)


def _all_settled() -> bool:
    return not Event.unscoped.filter(status=EventStatus.PENDING).exists()


def _add_note(tenant: Tenant) -> Event:
    lead = create_lead(name="Erika Mustermann")
    add_note(lead, "Called, wants a quote.", author=make_user(tenant))
    event: Event = Event.objects.get(type=NoteAdded.event_type)
    return event


def test_worker_settles_what_a_transaction_published(
    tenant: Tenant, worker: "subprocess.Popen[bytes]"
) -> None:
    event = _add_note(tenant)
    wait_until(_all_settled, "all events are settled")
    assert Greeting.objects.get().event_id == event.id


def test_failed_handler_is_replayed_in_a_worker(
    tenant: Tenant, broken_handler: Path, worker: "subprocess.Popen[bytes]"
) -> None:
    event = _add_note(tenant)
    wait_until(_all_settled, "all events are settled")
    event.refresh_from_db()
    assert event.status == EventStatus.FAILED
    assert event.error_message == "greet_for_note: RuntimeError: the printer is out of paper"
    assert "greet_for_note" in Attempt.objects.get().traceback
    broken_handler.unlink()
    replay_event(event.id, reason="paper refilled")
    wait_until(lambda: Greeting.objects.exists(), "the handler ran again")
    wait_until(_all_settled, "all events are settled")
    event.refresh_from_db()
    assert event.status == EventStatus.PROCESSED


def test_sweeper_finds_events_that_no_worker_was_told_of(
    tenant: Tenant, worker: "subprocess.Popen[bytes]"
) -> None:
    # What a process leaves that dies between its commit and its nudge.
    event = event_of(Draft(make_event().data))
    event.save()
    wait_until(_all_settled, "the sweeper found the event")
    event.refresh_from_db()
    assert event.status == EventStatus.PROCESSED
