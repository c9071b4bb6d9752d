"""A worker is frozen within a batch, loses it to another, and goes on as if it had not."""

import os
from pathlib import Path

import pytest
from django.db.models import Count

from events.models import Attempt, Delivery, Event, EventStatus, JournalEntry
from salesflow.accounts.models import Tenant
from tests.chaos.parcels import send_parcels
from tests.chaos.services import EVENTS_WORKERS, Crew, Service, at_work, second_worker
from tests.chaos.workload.models import Effect
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

BATCH_SECONDS = 3
SLOW = 6  # events of a batch that take their time, so that it can be caught


def _settled() -> bool:
    return not Event.unscoped.filter(status=EventStatus.PENDING).exists()


def _freeze_holder(crew: Crew) -> Service:
    """Stop the worker that holds a batch, before it is through with it."""
    wait_until(JournalEntry.objects.exists, "a worker has taken the batch", 60)
    entry = JournalEntry.objects.get()
    pid = int(entry.worker.rpartition(":")[2])
    [holder] = [service for service in crew.running(*EVENTS_WORKERS) if pid in service.pids()]
    holder.freeze()
    assert JournalEntry.objects.filter(token=entry.token).exists(), "It was through already."
    return holder


def test_batch_of_a_frozen_worker_is_anothers_for_good(
    tenant: Tenant, service_environment: dict[str, str]
) -> None:
    home = Path(os.environ["SALESFLOW_HOME"])
    environment = service_environment | {"SALESFLOW_EVENT_BATCH_SECONDS": str(BATCH_SECONDS)}
    with at_work(environment, home, second_worker(environment, home)) as crew:
        wait_until(crew.is_ready, "the workers are ready", 90)
        send_parcels(["slow"] * SLOW)
        frozen = _freeze_holder(crew)
        wait_until(_settled, "the other worker has settled the batch", 180)
        said = len(frozen.log.read_text())
        # The main process, which would end them for the time that they have missed, comes later.
        frozen.thaw_children()
        wait_until(
            lambda: "database_away" in frozen.log.read_text()[said:],
            "the frozen worker has noticed that its transaction is gone",
        )
        frozen.thaw()
        send_parcels(["plain"])
        wait_until(_settled, "work goes on")
    effects = Effect.objects.values_list("handler").annotate(number=Count("id"))
    assert dict(effects) == {"tally_in_batch": SLOW + 1, "tally_singly": SLOW + 1}
    assert set(Event.unscoped.values_list("status", flat=True)) == {EventStatus.PROCESSED}
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}
    assert not Attempt.objects.exists()
    assert not JournalEntry.objects.exists()
