"""What the funnel says about leads."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.queries import Funnel, Step, funnel
from events.testing import settle_events
from leads import services
from leads.models import Lead, Pipeline
from leads.queries import default_pipeline, pipelines
from salesflow.accounts.models import Tenant
from tests.leads.factories import make_lead, make_pipeline, stage_called
from tests.leads.test_import_command import SAMPLE, SAMPLE_MAPPING, run

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
STAGES = ["New", "Qualified", "Proposal", "Negotiation", "Won", "Lost"]


def counted(pipeline: Pipeline | None = None, **days: date) -> Funnel:
    """The funnel once all events are settled."""
    settle_events()
    return funnel(pipeline or default_pipeline(), **days)


def step(found: Funnel, name: str) -> Step:
    """The step of a stage."""
    return next(step for step in found.steps if step.stage.name == name)


def make_way(*stages: str, days: int = 1, **fields: object) -> Lead:
    """A lead that went through these stages, some days after each other."""
    lead = make_lead(created_at=MONDAY, **fields)
    for number, name in enumerate(stages, start=1):
        at = MONDAY + timedelta(days=number * days)
        lead = services.move_lead(lead, stage_called(name), at=at, lost_reason="too dear")
    return lead


def test_empty_funnel_has_all_stages_and_no_shares(tenant: Tenant) -> None:
    found = counted()
    assert [step.stage.name for step in found.steps] == STAGES
    assert {(step.reached, step.current.leads, step.conversion_step) for step in found.steps} == {
        (0, 0, None)
    }
    assert (found.totals.leads, found.totals.win_rate, found.sources) == (0, None, [])
    assert found.median_time_to_win is None


def test_stage_was_reached_by_all_who_came_further(tenant: Tenant) -> None:
    make_way()
    make_way("Qualified", "Proposal")
    make_way("Proposal", "New")
    make_way("Qualified", "Lost")
    make_way("Won")
    found = counted()
    assert [step.reached for step in found.steps] == [5, 4, 3, 1, 1, 1]
    assert [step.current.leads for step in found.steps] == [2, 0, 1, 0, 1, 1]


def test_conversion_is_told_by_step_and_overall(tenant: Tenant) -> None:
    for _number in range(3):
        make_way("Qualified")
    make_way("Qualified", "Proposal")
    found = counted()
    assert step(found, "New").conversion_step == 1
    assert step(found, "Qualified").conversion_step == 1
    assert step(found, "Proposal").conversion_step == 0.25
    assert step(found, "Proposal").conversion_overall == 0.25
    assert step(found, "Negotiation").conversion_overall == 0


def test_totals_count_won_lost_and_open(tenant: Tenant) -> None:
    make_way("Won", value=100, currency="EUR")
    make_way("Won", value=50, currency="EUR")
    make_way("Lost", value=70, currency="EUR")
    make_way(value=None)
    totals = counted().totals
    assert (totals.leads, totals.won, totals.lost, totals.open) == (4, 2, 1, 1)
    assert (totals.won_value, totals.lost_value) == ({"EUR": 150}, {"EUR": 70})
    assert totals.open_value == {}
    assert totals.win_rate == pytest.approx(2 / 3)


def test_currencies_are_never_added(tenant: Tenant) -> None:
    make_way("Won", value=100, currency="EUR")
    make_way("Won", value="0.50", currency="USD")
    found = counted()
    assert found.totals.won_value == {"EUR": Decimal(100), "USD": Decimal("0.5")}
    assert step(found, "Won").current.value == {"EUR": Decimal(100), "USD": Decimal("0.5")}


def test_sources_are_told_apart_the_largest_first(tenant: Tenant) -> None:
    make_way("Won", source="web", value=10, currency="EUR")
    make_way("Lost", source="web", value=30, currency="EUR")
    make_way(source="web")
    make_way("Won", source="fair", value=5, currency="EUR")
    web, fair = counted().sources
    assert (web.source, web.leads, web.won, web.lost, web.open) == ("web", 3, 1, 1, 1)
    assert (web.won_value, web.win_rate) == ({"EUR": 10}, 0.5)
    assert (fair.source, fair.leads, fair.won_value) == ("fair", 1, {"EUR": 5})


def test_value_of_a_won_deal_can_be_corrected(tenant: Tenant) -> None:
    lead = make_way("Won", value=100, currency="EUR")
    assert counted().totals.won_value == {"EUR": 100}
    services.edit_lead(lead, value=90)
    assert counted().totals.won_value == {"EUR": 90}


def test_deleted_lead_is_in_no_number(tenant: Tenant) -> None:
    services.delete_lead(make_way("Won", value=100))
    assert counted().totals.leads == 0


def test_range_holds_its_first_and_last_day_in_the_tenants_time_zone(tenant: Tenant) -> None:
    tenant.time_zone = "America/New_York"
    tenant.save()
    # 23:30 on 10 March in New York is 11 March in UTC.
    make_lead(created_at=datetime(2026, 3, 11, 3, 30, tzinfo=UTC))
    tenth, eleventh = date(2026, 3, 10), date(2026, 3, 11)
    assert counted(since=tenth, until=tenth).totals.leads == 1
    assert counted(since=eleventh).totals.leads == 0
    assert counted(until=tenth - timedelta(days=1)).totals.leads == 0
    assert counted(since=date.min, until=date.max).totals.leads == 1


def test_pipelines_are_counted_apart(tenant: Tenant) -> None:
    partners = make_pipeline("Partners")
    make_way("Qualified")
    moved = make_way("Negotiation")
    services.move_lead(moved, partners.stages.get(name="Open"))
    assert counted().totals.leads == 1
    found = counted(pipelines().get(id=partners.id))
    assert [step.reached for step in found.steps] == [1, 0, 0]


def test_median_times_are_of_stays_that_have_ended(tenant: Tenant) -> None:
    make_way("Qualified", "Won", days=2)
    make_way("Qualified", days=4)
    make_way("Qualified", "Won", days=9)
    found = counted()
    assert step(found, "New").median_time == timedelta(days=4)
    assert step(found, "Qualified").median_time == timedelta(days=5, hours=12)
    assert step(found, "Won").median_time is None
    assert found.median_time_to_win == timedelta(days=11)


def test_stage_that_was_moved_or_renamed_counts_where_it_is_now(tenant: Tenant) -> None:
    make_way("Proposal")
    stage = stage_called("Proposal")
    stage.name, stage.position = "Offer", 9
    stage.save()
    found = counted()
    assert [step.stage.name for step in found.steps if step.stage.kind == "open"][-1] == "Offer"
    assert step(found, "Negotiation").reached == 1


def test_funnel_costs_the_same_queries_however_many_leads(tenant: Tenant) -> None:
    make_way("Qualified", "Won", source="web", value=1)
    counted()
    with CaptureQueriesContext(
        connection,
    ) as few:
        funnel(default_pipeline())
    for number in range(12):
        make_way("Qualified", "Lost", source=f"source {number}", value=1)
    settle_events()
    with CaptureQueriesContext(connection) as many:
        funnel(default_pipeline())
    assert len(few) == len(many) == 6


@pytest.mark.skipif(not SAMPLE.exists(), reason=f"there is no {SAMPLE}")
def test_sample_of_opportunities_is_counted_to_the_dollar(tenant: Tenant, tmp_path: Path) -> None:
    options = ["--default", "currency=USD", "--errors", str(tmp_path / "errors.csv")]
    run(SAMPLE, "--map", *SAMPLE_MAPPING, *options)
    found = counted()
    assert (found.totals.won, found.totals.lost, found.totals.open) == (4238, 2473, 2089)
    assert found.totals.won_value == {"USD": Decimal(10_005_534)}
    assert step(found, "Won").current.won_value == found.totals.won_value
    assert found.median_time_to_win == timedelta(days=57)
