"""External handlers in real workers, which are killed, frozen and kept waiting."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from events import Payload, publish
from events.models import Attempt, Delivery, DeliveryStatus, Event, EventStatus
from salesflow.accounts.models import Tenant
from tests import waiting
from tests.outside.payloads import BriefCallWanted, CallWanted, GentleCallWanted
from tests.outside.service import Service
from tests.outside.workers import at_work

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

# Seconds: two workers start first, perhaps on a busy machine.
PATIENCE = 90.0


def wait_until(condition: Callable[[], object], what: str) -> None:
    waiting.wait_until(condition, what, PATIENCE)


@pytest.fixture
def service() -> Iterator[Service]:
    with Service().serving() as service:
        yield service


@pytest.fixture(autouse=True)
def workers(service_environment: dict[str, str]) -> Iterator[None]:
    """Workers as the supervisor starts them, with short leases."""
    with at_work(service_environment):
        yield


def _want(payload: type[Payload], service: Service, path: str) -> Event:
    return publish(payload.model_validate({"url": service.address + path}))


def _caller() -> int:
    """The process that runs the one call."""
    return int(Delivery.objects.get(status=DeliveryStatus.RUNNING).worker.rpartition(":")[2])


def _all_processed() -> bool:
    return not Event.unscoped.exclude(status=EventStatus.PROCESSED).exists()


def _errors() -> list[str]:
    return list(Attempt.objects.filter(status="failed").values_list("error_type", flat=True))


def test_call_of_a_killed_worker_is_made_again_under_the_same_key(
    tenant: Tenant, service: Service
) -> None:
    event = _want(CallWanted, service, "/hold-first")
    wait_until(lambda: service.running["/hold-first"], "the call has begun")
    os.kill(_caller(), signal.SIGKILL)
    wait_until(_all_processed, "the call was made again")
    assert service.calls == {f"{event.id}:call_outside": 2}
    assert (_errors(), Delivery.objects.get().attempts) == (["LeaseLost"], 2)


def test_call_of_a_frozen_worker_is_made_again_and_its_late_report_refused(
    tenant: Tenant, service: Service
) -> None:
    event = _want(CallWanted, service, "/hold-first")
    wait_until(lambda: service.running["/hold-first"], "the call has begun")
    frozen = _caller()
    os.kill(frozen, signal.SIGSTOP)
    try:
        wait_until(_all_processed, "another worker has made the call")
        settled = Delivery.objects.values().get()
        service.released.set()
    finally:
        os.kill(frozen, signal.SIGCONT)
    # It takes part again, and has reported in vain by then.
    for _call in range(8):
        _want(CallWanted, service, "/slow")
    wait_until(lambda: _workers_of_successes() >= {frozen}, "the thawed worker works again")
    assert Delivery.objects.values().get(pk=settled["id"]) == settled
    assert service.calls[f"{event.id}:call_outside"] == 2
    assert (_errors(), settled["attempts"]) == (["LeaseLost"], 2)


def _workers_of_successes() -> set[int]:
    done = Delivery.objects.filter(status=DeliveryStatus.SUCCEEDED)
    return {int(worker.rpartition(":")[2]) for worker in done.values_list("worker", flat=True)}


def test_calls_outlive_their_leases_and_keep_to_their_limits(
    tenant: Tenant, service: Service
) -> None:
    """Six calls longer than a lease, two at a time; another one that is cut off when it hangs."""
    for _call in range(6):
        _want(GentleCallWanted, service, "/slow")
    hanging = _want(BriefCallWanted, service, "/hold-first")
    wait_until(_all_processed, "all calls were made")
    assert _errors() == ["TimedOut"]
    assert service.calls.pop(f"{hanging.id}:call_briefly") == 2
    assert sorted(service.calls.values()) == [1] * 6
    gentle = Delivery.objects.filter(handler="call_gently")
    assert set(gentle.values_list("attempts", flat=True)) == {1}
    assert service.most_at_once["/slow"] == 2
