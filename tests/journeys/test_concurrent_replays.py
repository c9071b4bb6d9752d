"""Many people replay one failed event at once, with real workers waiting for it."""

import os
from pathlib import Path

import pytest

from events import replay_event
from events.models import Event, EventStatus, Replay
from leads.payloads import NoteAdded
from leads.services import add_note, create_lead
from salesflow.accounts.models import Tenant
from tests.chaos.services import at_work
from tests.events.threads import at_once
from tests.factories import make_user
from tests.thirdparty.handlers import breakdown
from tests.thirdparty.models import Greeting
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

PEOPLE = 20


def _settled() -> bool:
    return not Event.unscoped.filter(status=EventStatus.PENDING).exists()


def _finished() -> bool:
    return not Replay.objects.filter(status=Replay.Status.RUNNING).exists()


def test_concurrent_replays_of_a_failed_event_have_one_effect(
    tenant: Tenant, service_environment: dict[str, str]
) -> None:
    breakdown().write_text("the printer is out of paper")
    add_note(create_lead(name="Erika Mustermann"), "Called.", author=make_user(tenant))
    with at_work(service_environment, Path(os.environ["SALESFLOW_HOME"])):
        wait_until(_settled, "all events are settled", 60)
        breakdown().unlink()
        failed: Event = Event.objects.get(type=NoteAdded.event_type, status=EventStatus.FAILED)
        at_once(PEOPLE, lambda: replay_event(failed.id, reason="paper refilled"))
        wait_until(_settled, "all events are settled", 60)
        wait_until(_finished, "all replays have finished", 60)
    failed.refresh_from_db()
    assert failed.status == EventStatus.PROCESSED
    assert Greeting.objects.filter(event_id=failed.id).count() == 1
    assert Replay.objects.count() == PEOPLE
