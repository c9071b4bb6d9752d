"""Two people at the same lead at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from events.models import Event
from leads import services
from leads.models import ContactPoint, Lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant
from tests.leads.factories import make_lead, stage_called


def at_once(tenant: Tenant, *calls: Callable[[], Any]) -> list[Any]:
    """Run the calls side by side, each on a connection of its own; their results or errors."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            with tenant_context(tenant):
                barrier.wait(10)
                return call()
        except ValidationError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once_give_two_events_that_follow_each_other() -> None:
    tenant = make_tenant()
    with tenant_context(tenant):
        lead = make_lead()
        stages = [stage_called("Proposal"), stage_called("Negotiation")]

    at_once(tenant, *[lambda stage=stage: services.move_lead(lead, stage) for stage in stages])

    with tenant_context(tenant):
        moves = Event.objects.filter(type="lead.stage_changed").order_by("position")
        first, second = [event.payload for event in moves]
        assert first["from_stage"] == "New"
        assert second["from_stage"] == first["stage"]
        assert Lead.objects.get().stage.name == second["stage"]


@pytest.mark.django_db(transaction=True)
def test_winning_and_losing_at_once_leaves_one_outcome_and_its_history() -> None:
    tenant = make_tenant()
    with tenant_context(tenant):
        lead = make_lead()

    at_once(
        tenant,
        lambda: services.win_lead(lead),
        lambda: services.lose_lead(lead, reason="price"),
    )

    with tenant_context(tenant):
        closings = Event.objects.filter(type__in=["lead.won", "lead.lost"]).order_by("position")
        assert closings.count() == 2
        assert f"lead.{Lead.objects.get().outcome}" == closings[1].type


@pytest.mark.django_db(transaction=True)
def test_an_address_given_to_two_leads_at_once_goes_to_one() -> None:
    tenant = make_tenant()

    results = at_once(
        tenant,
        *[lambda: services.create_lead(name="Ada", emails=["ada@example.com"])] * 3,
    )

    refused = [result for result in results if isinstance(result, ValidationError)]
    assert len(refused) == 2
    assert all("emails" in error.message_dict for error in refused)
    with tenant_context(tenant):
        assert ContactPoint.objects.count() == Lead.objects.count() == 1
        assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_external_id_given_to_two_leads_at_once_goes_to_one() -> None:
    tenant = make_tenant()

    results = at_once(tenant, *[lambda: services.create_lead(name="Ada", external_id="7")] * 3)

    assert sum(isinstance(result, ValidationError) for result in results) == 2
    with tenant_context(tenant):
        assert Lead.objects.count() == 1
