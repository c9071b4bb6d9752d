"""The funnel over HTTP."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.testing import settle_events
from leads import services
from leads.queries import default_pipeline
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, api_of, fields_of
from tests.factories import make_tenant
from tests.leads.factories import make_lead, make_pipeline, stage_called

FUNNEL = "/api/analytics/funnel"
MARCH = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def deals(tenant: Tenant) -> None:
    """A won deal in euros, a lost one in dollars, an open one."""
    won = make_lead(created_at=MARCH, source="web", value="99.50", currency="EUR")
    services.win_lead(won, at=MARCH.replace(day=4))
    lost = make_lead(created_at=MARCH, source="fair", value=5, currency="USD")
    services.lose_lead(lost, reason="too dear")
    make_lead(created_at=MARCH.replace(month=4), source="web", stage=stage_called("Qualified"))
    settle_events()


def test_funnel_tells_stages_sources_and_totals(api: ApiClient, deals: None) -> None:
    told = api.get(FUNNEL).json()
    assert told["pipeline"]["id"] == str(default_pipeline().id)
    assert told["totals"] == {
        "leads": 3,
        "open": 1,
        "won": 1,
        "lost": 1,
        "open_value": [],
        "won_value": [{"currency": "EUR", "amount": "99.50"}],
        "lost_value": [{"currency": "USD", "amount": "5.00"}],
        "win_rate": 0.5,
    }
    assert told["median_seconds_to_win"] == 2 * 24 * 3600
    names = ["New", "Qualified", "Proposal", "Negotiation", "Won", "Lost"]
    assert [stage["name"] for stage in told["stages"]] == names
    assert [stage["reached"] for stage in told["stages"]] == [3, 2, 1, 1, 1, 1]
    won = told["stages"][4]
    assert won["value"] == [{"currency": "EUR", "amount": "99.50"}]
    assert (won["kind"], won["probability"], won["conversion_overall"]) == ("won", 100, 1 / 3)
    assert [(row["source"], row["leads"], row["won"]) for row in told["sources"]] == [
        ("web", 2, 1),
        ("fair", 1, 0),
    ]


def test_range_and_pipeline_narrow_the_funnel(api: ApiClient, deals: None) -> None:
    assert api.get(f"{FUNNEL}/?since=2026-04-01").json()["totals"]["leads"] == 1
    told = api.get(f"{FUNNEL}?since=2026-03-02&until=2026-03-02").json()
    assert (told["since"], told["until"]) == ("2026-03-02", "2026-03-02")
    assert told["totals"]["leads"] == 2
    partners = make_pipeline("Partners")
    assert api.get(f"{FUNNEL}?pipeline={partners.id}").json()["totals"]["leads"] == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=soon", "since"),
        ("until=2026-13-01", "until"),
        ("since=2026-02-02&until=2026-02-01", "until"),
        ("pipeline=7", "pipeline"),
        ("stage=New", "stage"),
        ("since=2026-01-01&since=2026-02-01", "since"),
        ("until=%00", "until"),
    ],
)
def test_bad_parameter_is_named(api: ApiClient, query: str, field: str) -> None:
    response = api.get(f"{FUNNEL}?{query}")
    assert response.status_code == 400
    assert list(fields_of(response)) == [field]


def test_pipeline_of_another_tenant_is_not_found(api: ApiClient, tenant: Tenant) -> None:
    own = make_pipeline()
    other = make_tenant("other")
    with tenant_context(other):
        stranger = api_of(other)
        theirs = make_pipeline()
    assert api.get(f"{FUNNEL}?pipeline={theirs.id}").status_code == 404
    assert api.get(f"{FUNNEL}?pipeline={uuid7()}").status_code == 404
    assert stranger.get(f"{FUNNEL}?pipeline={own.id}").status_code == 404
    assert api.get(f"{FUNNEL}?pipeline={own.id}").status_code == 200


def test_numbers_of_another_tenant_are_not_counted(deals: None) -> None:
    other = make_tenant("other")
    with tenant_context(other):
        stranger = api_of(other)
    assert stranger.get(FUNNEL).json()["totals"]["leads"] == 0


def test_nobody_reads_it_without_a_key(db: None) -> None:
    assert ApiClient().get(FUNNEL).status_code == 401


def test_it_is_read_only(api: ApiClient) -> None:
    assert api.post(FUNNEL, {}).status_code == 405


def test_it_costs_few_queries(api: ApiClient, deals: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        api.get(FUNNEL)
    assert len(queries) == 7, [query["sql"][:80] for query in queries]
