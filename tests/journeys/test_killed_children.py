"""Worker processes are killed one by one while they have nothing to do."""

import os
from pathlib import Path

import psutil
import pytest

from events.models import Event, EventStatus
from salesflow.accounts.models import Tenant
from tests.chaos.parcels import send_parcels
from tests.chaos.services import Service, at_work
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


def _settled() -> bool:
    return not Event.unscoped.filter(status=EventStatus.PENDING).exists()


def _kill_each_child(service: Service) -> None:
    children = service.children()
    for pid in children:
        psutil.Process(pid).kill()
        wait_until(
            lambda: pid not in (now := service.children()) and len(now) == len(children),  # noqa: B023
            f"{service.name} has another process for {pid}",
        )


def test_workers_go_on_after_each_of_their_processes_was_killed(
    tenant: Tenant, service_environment: dict[str, str]
) -> None:
    with at_work(service_environment, Path(os.environ["SALESFLOW_HOME"])) as crew:
        send_parcels(["plain"], "called")
        wait_until(_settled, "the first call was made")
        for service in crew.running("worker", "external"):
            _kill_each_child(service)
        send_parcels(["plain"] * 5, "called")
        wait_until(_settled, "the workers go on")
