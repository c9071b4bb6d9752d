"""The funnel as a page."""

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.testing import settle_events
from leads import services
from salesflow.accounts.models import Tenant
from tests.leads.factories import make_lead, make_pipeline
from tests.web import Page, page_of

FUNNEL = "/analytics/funnel"


def look(browser: Client, **query: Any) -> tuple[Any, Page]:
    """The response and the page that a browser shows."""
    response: Any = browser.get(FUNNEL, query)
    return response, page_of(response)


def chart(response: Any, name: str) -> Any:
    """The data of a chart on a page."""
    found = re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', response.content.decode())
    assert found
    return json.loads(found[1])


@pytest.fixture
def deals(tenant: Tenant) -> None:
    """Two won deals, in different currencies, and an open one."""
    services.win_lead(make_lead(source="web", value=12500, currency="EUR"))
    services.win_lead(make_lead(source="web", value=300, currency="USD"))
    make_lead(source="fair", value=40, currency="EUR")
    settle_events()


def test_page_shows_totals_stages_and_sources(browser: Client, deals: None) -> None:
    response, page = look(browser)
    assert "12,500" in page.text
    assert response.context["totals"]["won_count"] == 2
    assert response.context["totals"]["won_value"] == 12500
    assert [row["source"] for row in response.context["sources"]] == ["web", "fair"]
    assert chart(response, "stage-chart")["datasets"][0]["data"] == [1, 0, 0, 0, 2, 0]
    won, open_, lost = chart(response, "source-chart")["datasets"]
    assert (won["data"], open_["data"], lost["data"]) == ([2, 0], [0, 1], [0, 0])


def test_page_says_which_currencies_its_sums_leave_out(browser: Client, deals: None) -> None:
    assert "They leave out leads worth 300 USD." in look(browser)[1].text


def test_tenant_without_leads_is_told_how_to_begin(browser: Client) -> None:
    assert "Nothing to count here yet" in look(browser)[1].text


def test_range_narrows_the_page(browser: Client, deals: None) -> None:
    response, page = look(browser, since="2020-01-01", until="2020-12-31")
    assert not response.context["has_data"]
    shown = [(field["name"], field.get("value")) for field in page.all("input")]
    assert ("since", "2020-01-01") in shown


def test_range_that_ends_before_it_begins_is_refused(browser: Client, deals: None) -> None:
    _response, page = look(browser, since="2026-02-02", until="2026-02-01")
    assert "That is before the first day." in page.text


@pytest.mark.parametrize("query", [{"since": "soon"}, {"pipeline": "x\x00"}, {"until": "\x00"}])
def test_nonsense_in_the_address_is_no_server_error(browser: Client, query: Any) -> None:
    make_pipeline()
    assert browser.get(FUNNEL, query).status_code == 200


def test_pipeline_can_be_chosen_when_there_are_several(browser: Client, deals: None) -> None:
    assert not look(browser)[1].all("select")
    response, page = look(browser, pipeline=str(make_pipeline("Partners").id))
    assert page.all("select")
    assert not response.context["has_data"]


def test_many_sources_are_summed_up(browser: Client, tenant: Tenant) -> None:
    for number in range(23):
        make_lead(source=f"source {number:02}")
    settle_events()
    rows = browser.get(FUNNEL).context["sources"]
    assert (len(rows), rows[-1]["source"], rows[-1]["count"]) == (21, "3 others", 3)


def test_stranger_is_sent_to_the_login(client: Client, db: None) -> None:
    assert client.get(FUNNEL).url.startswith(reverse("login"))  # type: ignore[attr-defined]


def test_page_costs_few_queries(browser: Client, deals: None) -> None:
    browser.get(FUNNEL)
    with CaptureQueriesContext(connection) as queries:
        browser.get(FUNNEL)
    assert len(queries) == 10, [query["sql"][:80] for query in queries]
