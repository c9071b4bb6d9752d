"""An event that ends the process which handles it: found, failed alone, the others go on."""

import json
import os
from pathlib import Path
from uuid import UUID

import pytest

from events.journal import MOST_CRASHES
from events.models import Delivery, Event, EventStatus
from salesflow.accounts.models import Tenant
from tests.chaos.parcels import send_parcels
from tests.chaos.services import at_work
from tests.chaos.workload.models import Effect
from tests.chaos.workload.places import poison_file
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

BATCH = 500


def _settled() -> bool:
    return not Event.unscoped.filter(status=EventStatus.PENDING).exists()


def _tallied(handler: str) -> set[UUID]:
    """The parcels of which the handler left exactly one trace."""
    parcels = list(Effect.objects.filter(handler=handler).values_list("parcel_id", flat=True))
    assert len(parcels) == len(set(parcels))
    return set(parcels)


def test_event_that_aborts_its_worker_fails_alone(
    tenant: Tenant, service_environment: dict[str, str]
) -> None:
    home = Path(os.environ["SALESFLOW_HOME"])
    fates = ["plain"] * BATCH
    fates[BATCH // 2] = "poison"
    parcels = send_parcels(fates)
    environment = {**service_environment, "SALESFLOW_EVENT_BATCH_SIZE": str(BATCH)}
    with at_work(environment, home):
        wait_until(_settled, "all events are settled", 120)
    innocent = {parcel.id for parcel in parcels if parcel.fate == "plain"}
    [failed] = Event.objects.filter(status=EventStatus.FAILED)
    assert failed.payload["fate"] == "poison"
    assert "worker lost" in failed.error_message
    assert Delivery.objects.get(event=failed, handler="tally_singly").status == "failed"
    assert Event.objects.filter(status=EventStatus.PROCESSED).count() == BATCH - 1
    assert _tallied("tally_singly") == innocent
    assert _tallied("tally_in_batch") >= innocent
    deaths = [json.loads(line) for line in poison_file(home).read_text().splitlines()]
    assert len(deaths) <= MOST_CRASHES
