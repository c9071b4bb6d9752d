"""The lead list: what it finds, in which order, page by page, and at what cost."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from leads import services
from leads.models import Lead, Outcome
from leads.queries import lead_order, sortable
from salesflow.accounts.models import Tenant, User
from tests.factories import make_user
from tests.leads.factories import make_lead, make_pipeline, stage_called
from tests.web import HTMX, page_of

LIST = "leads:list"


def names(browser: Client, **query: Any) -> list[str]:
    """The names that the list shows for a query."""
    response = browser.get(reverse(LIST), query)
    assert response.status_code == 200
    return [lead.name for lead in response.context["leads"]]


def test_list_shows_the_last_changed_lead_first(browser: Client) -> None:
    first, second = make_lead(name="First"), make_lead(name="Second")
    assert names(browser) == ["Second", "First"]
    services.edit_lead(first, company="Changed")
    assert names(browser) == ["First", "Second"]
    page_of(browser.get(reverse(LIST)))
    assert second


@pytest.mark.parametrize("words", ["ada", "NALYTICAL", "ada@exa", "301 8", "ada engine"])
def test_search_finds_by_name_company_address_and_number(browser: Client, words: str) -> None:
    make_lead(name="Someone else", company="Other", emails=["other@example.org"])
    make_lead(
        name="Ada Byron",
        company="Analytical Engines",
        emails=["ada@example.com"],
        phones=["+49 30 18 301 800"],
    )
    assert names(browser, q=words.replace("301 8", "301")) == ["Ada Byron"]


def test_filters_narrow_the_list(browser: Client, tenant: Tenant, rep: User) -> None:
    other = make_user(tenant, name="Ben")
    way = make_pipeline("Partners")
    make_lead(name="Mine", owner=rep, source="web", tags=["hot"])
    make_lead(name="Theirs", owner=other, source="fair")
    make_lead(name="Nobody's", source="fair", stage=way.stages.first())
    services.win_lead(make_lead(name="Won", owner=other))
    assert names(browser, owner=rep.pk) == ["Mine"]
    assert names(browser, owner="nobody") == ["Nobody's"]
    assert names(browser, source="fair") == ["Nobody's", "Theirs"]
    assert names(browser, source="fair", owner=other.pk) == ["Theirs"]
    assert names(browser, outcome="won") == ["Won"]
    assert names(browser, tag="hot") == ["Mine"]
    assert names(browser, pipeline=way.pk) == ["Nobody's"]
    assert names(browser, stage=stage_called("Won").pk) == ["Won"]


def test_filters_that_cannot_be_read_are_no_filters(browser: Client) -> None:
    make_lead(name="Kept")
    wrong = {
        "owner": "x",
        "stage": "no-uuid",
        "outcome": "maybe",
        "source": "?",
        "sort": "password",
    }
    assert names(browser, **wrong, after="nonsense", before="") == ["Kept"]
    assert names(browser, before="WyJhXHUwMDAwIiwgIngiXQ") == ["Kept"]


def test_each_filter_in_force_can_be_removed(browser: Client) -> None:
    make_lead(name="Ada", source="fair")
    query = {"q": "ada", "source": "fair", "sort": "name"}
    response = browser.get(reverse(LIST), query)
    chips = {str(chip["label"]): chip for chip in response.context["active_filters"]}
    assert set(chips) == {"Search", "Source"}
    assert chips["Source"]["value"] == "fair"
    assert chips["Source"]["url"] == "?q=ada&sort=name"


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["A", "B", "C"]),
        ("-name", ["C", "B", "A"]),
        ("-value", ["A", "C", "B"]),
        ("value", ["B", "C", "A"]),
        ("created_at", ["C", "A", "B"]),
    ],
)
def test_list_is_sorted_as_asked(browser: Client, sort: str, expected: list[str]) -> None:
    now = timezone.now()
    make_lead(name="A", value=Decimal(20), created_at=now - timedelta(days=2))
    make_lead(name="B", created_at=now - timedelta(days=1))
    make_lead(name="C", value=Decimal(10), created_at=now - timedelta(days=3))
    assert names(browser, sort=sort) == expected


@pytest.mark.parametrize("sort", ["-updated_at", "name", "-value", "company", "-created_at"])
def test_pages_show_every_lead_once_forwards_and_backwards(browser: Client, sort: str) -> None:
    # Whole pages of equal values: the id has to break the ties.
    stage = stage_called("New")
    Lead.objects.bulk_create(
        Lead(name=f"Lead {n:03}", company="Acme", value=Decimal(n % 2), stage=stage)
        for n in range(120)
    )
    seen, url, last = [], f"?sort={sort}", ""
    while url:
        response = browser.get(reverse(LIST) + url)
        seen += [lead.pk for lead in response.context["leads"]]
        last, url = url, response.context["next_url"]
    assert len(seen) == len(set(seen)) == 120
    back: list[Any] = []
    url = last
    while url:
        response = browser.get(reverse(LIST) + url)
        back = [lead.pk for lead in response.context["leads"]] + back
        url = response.context["previous_url"]
    assert back == seen


def test_a_key_of_another_order_begins_at_the_first_page(browser: Client) -> None:
    stage = stage_called("New")
    Lead.objects.bulk_create(Lead(name=f"Lead {n:02}", stage=stage) for n in range(60))
    by_name = browser.get(reverse(LIST), {"sort": "name"}).context["next_url"]
    key = parse_qs(by_name.removeprefix("?"))["after"][0]
    assert len(names(browser, sort="updated_at", after=key)) == 50


def test_a_page_stays_where_it_is_while_leads_come_and_go(browser: Client) -> None:
    stage = stage_called("New")
    Lead.objects.bulk_create(Lead(name=f"Lead {n:02}", stage=stage) for n in range(60))
    first = browser.get(reverse(LIST), {"sort": "name"})
    second = [f"Lead {number:02}" for number in range(50, 60)]
    make_lead(name="Aaron")
    Lead.objects.get(name="Lead 03").delete()
    again = browser.get(reverse(LIST) + first.context["next_url"])
    assert [lead.name for lead in again.context["leads"]] == second


def test_counting_stops_at_a_thousand(browser: Client) -> None:
    stage = stage_called("New")
    Lead.objects.bulk_create(Lead(name=f"Lead {n}", stage=stage) for n in range(1001))
    response = browser.get(reverse(LIST))
    assert response.context["total_label"] == "more than 1000 leads"


def test_list_costs_the_same_whatever_it_shows(
    browser: Client, rep: User, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        make_lead(owner=rep, emails=[f"{number}@example.com"])
    # Session, user, tenant; pipelines, stages, team, sources; leads, their contact points; count.
    with django_assert_num_queries(11):
        browser.get(reverse(LIST))
    for number in range(3, 30):
        make_lead(owner=rep, emails=[f"{number}@example.com"])
    with django_assert_num_queries(11):
        browser.get(reverse(LIST), {"q": "lead", "sort": "name"})


def test_htmx_gets_the_part_it_swaps(browser: Client) -> None:
    make_lead(name="Ada")
    response = browser.get(reverse(LIST), {"q": "ad"}, headers=HTMX)
    assert 'id="lead-results"' in response.content.decode()
    assert "Ada" in response.content.decode()


def test_empty_lists_say_what_to_do(browser: Client) -> None:
    assert "Your first lead" in browser.get(reverse(LIST)).content.decode()
    make_lead(name="Ada")
    response = browser.get(reverse(LIST), {"q": "zzz"})
    assert "No lead matches" in response.content.decode()
    page_of(response)


def test_home_leads_to_the_list(browser: Client) -> None:
    assert browser.get("/").headers["Location"] == reverse(LIST)


def test_closed_deals_say_how_they_ended(browser: Client) -> None:
    services.lose_lead(make_lead(name="Gone"), reason="Too expensive")
    assert Lead.objects.get().outcome == Outcome.LOST
    assert "Lost" in page_of(browser.get(reverse(LIST))).text


@pytest.mark.parametrize("field", ["name", "company", "value", "created_at", "updated_at"])
def test_each_order_has_an_index_that_a_page_begins_in(tenant: Tenant, field: str) -> None:
    make_lead()
    _sort, order = lead_order(f"-{field}")
    rows = sortable(Lead.objects.all())
    page = order.apply(order.beyond(rows, order.key_of(rows.get())))[:50]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        plan = page.explain()
    assert "Index Scan" in plan
    assert "Sort" not in plan
    assert "ROW(" in plan.partition("Index Cond")[2].partition("\n")[0]
