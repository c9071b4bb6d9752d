"""Calls to models are long: they never take all workers, and what waits for them burns no try."""

import pytest
from django.conf import settings

from events import registry
from events.external.calling import Result
from events.external.leasing import lease_next
from events.external.reporting import report
from events.models import Delivery, Event
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.autopilot.factories import make_run
from tests.events.factories import make_event

pytestmark = pytest.mark.usefixtures("transactional_db")
CALLS = "perform_requested_run"


def hand_over() -> None:
    settle(list(Event.unscoped.filter(status="pending").values_list("id", flat=True)))


def test_model_calls_leave_workers_to_what_else_is_due(tenant: Tenant) -> None:
    most = settings.AI_CALLS_AT_ONCE
    for _number in range(most + 1):
        make_run()
    hand_over()
    leases = [lease for _number in range(most) if (lease := lease_next())]
    assert [lease.handler.name for lease in leases] == [CALLS] * most
    assert lease_next() is None
    waiting = Delivery.objects.get(handler=CALLS, status="pending")
    assert (waiting.attempts, waiting.error) == (0, "")
    with handler_of("thing.happened", function=print, name="mail", effects="external"):
        make_event()
        hand_over()
        mail = lease_next()
    assert mail
    assert mail.handler.name == "mail"
    # A call that has ended makes room at once.
    report(leases[0], Result(None, 1.0))
    after = lease_next()
    assert after
    assert after.delivery.pk == waiting.pk


def test_fewer_calls_than_external_workers(tenant: Tenant) -> None:
    handler = registry.get_handler(CALLS)
    assert handler
    assert handler.concurrency == settings.AI_CALLS_AT_ONCE == 2
