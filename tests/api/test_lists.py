from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import Event, EventStatus
from leads.models import Lead
from leads.services import create_lead, lose_lead, win_lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, fields_of
from tests.events.factories import make_event, make_events
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def names(rows: list[Any]) -> list[str]:
    return [row["name"] for row in rows]


@pytest.fixture
def leads(tenant: Tenant) -> list[Lead]:
    owner = make_user(tenant, email="owner@example.com")
    ada = create_lead(
        name="Ada", company="Engines", emails=["ada@example.com"], value=10, tags=["vip"]
    )
    bob = create_lead(name="Bob", company="Acme", source="fair", value=30, owner=owner)
    cyd = create_lead(name="Cyd", company="acme", external_id="crm-3")
    win_lead(bob)
    lose_lead(cyd, reason="no budget")
    return [ada, bob, cyd]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Cyd", "Bob", "Ada"]),
        ("search=ADA", ["Ada"]),
        ("search=acme", ["Cyd", "Bob"]),
        ("search=acme+bob", ["Bob"]),
        ("search=ada@example", ["Ada"]),
        ("search=nobody", []),
        ("stage=won", ["Bob"]),
        ("outcome=lost", ["Cyd"]),
        ("outcome=open", ["Ada"]),
        ("owner=owner@example.com", ["Bob"]),
        ("owner=none", ["Cyd", "Ada"]),
        ("source=fair", ["Bob"]),
        ("tag=vip", ["Ada"]),
        ("external_id=crm-3", ["Cyd"]),
        ("created_after=2020-01-01", ["Cyd", "Bob", "Ada"]),
        ("created_before=2020-01-01T00:00:00Z", []),
        ("outcome=won&source=fair", ["Bob"]),
        ("outcome=&search=", ["Cyd", "Bob", "Ada"]),
        ("ordering=name", ["Ada", "Bob", "Cyd"]),
        ("ordering=-value", ["Bob", "Ada", "Cyd"]),
        ("ordering=value", ["Cyd", "Ada", "Bob"]),
        ("ordering=created_at", ["Ada", "Bob", "Cyd"]),
    ],
)
def test_leads_are_narrowed_and_sorted(
    api: ApiClient, leads: list[Lead], query: str, found: list[str]
) -> None:
    assert names(api.results(f"/api/leads?{query}")) == found


def test_stage_is_filtered_by_its_id_too(api: ApiClient, leads: list[Lead]) -> None:
    ada, _bob, _cyd = leads
    assert names(api.results(f"/api/leads?stage={ada.stage_id}")) == ["Ada"]


@pytest.mark.parametrize("ordering", ["name", "-name", "value", "-value", "-updated_at", "company"])
def test_pages_show_every_lead_once_also_those_that_share_a_value(
    api: ApiClient, ordering: str
) -> None:
    for number in range(13):
        create_lead(name=f"Lead {number % 3}", value=None if number % 2 else number % 4)
    whole = api.results(f"/api/leads?ordering={ordering}")
    pages = api.walk(f"/api/leads?ordering={ordering}&limit=3")
    assert pages == whole
    assert len({row["id"] for row in pages}) == 13


def test_page_stays_in_place_while_leads_are_added(api: ApiClient) -> None:
    for number in range(4):
        create_lead(name=f"Lead {number}")
    first = api.get("/api/leads?ordering=-created_at&limit=2").json()
    create_lead(name="Newcomer")
    second = api.get(first["next"].removeprefix("http://testserver")).json()
    assert names(first["results"]) == ["Lead 3", "Lead 2"]
    assert names(second["results"]) == ["Lead 1", "Lead 0"]
    assert second["next"] is None


WRONG = [
    ("/api/leads?colour=red", "colour"),
    ("/api/leads?page=2", "page"),
    ("/api/leads?outcome=maybe", "outcome"),
    ("/api/leads?outcome=won&outcome=lost", "outcome"),
    ("/api/leads?stage=Nirvana", "stage"),
    ("/api/leads?owner=nobody@example.com", "owner"),
    ("/api/leads?owner=99999999999999999999999", "owner"),
    ("/api/leads?created_after=yesterday", "created_after"),
    ("/api/leads?search=%00", "search"),
    ("/api/leads?tag=%00", "tag"),
    ("/api/leads?ordering=size", "ordering"),
    ("/api/leads?ordering=--name", "ordering"),
    ("/api/leads?limit=0", "limit"),
    ("/api/leads?limit=201", "limit"),
    ("/api/leads?limit=ten", "limit"),
    ("/api/leads?limit=%C2%B2", "limit"),
    ("/api/leads?cursor=abc", "cursor"),
    ("/api/leads?cursor=%00", "cursor"),
    ("/api/events?stauts=failed", "stauts"),
    ("/api/events?status=broken", "status"),
    ("/api/events?type=lead.invented", "type"),
    ("/api/events?type=%00", "type"),
    ("/api/events?subject=5", "subject"),
    ("/api/events?created_before=2020-13-01", "created_before"),
    ("/api/events?created_before=0000-00-00T00:00:00Z", "created_before"),
    ("/api/events?created_after=0001-01-01T00:00:00%2B23:00", "created_after"),
    ("/api/events/status/pending?status=failed", "status"),
    ("/api/pipelines?name=Sales", "name"),
]


@pytest.mark.parametrize(("path", "field"), WRONG)
def test_wrong_parameter_is_named(api: ApiClient, path: str, field: str) -> None:
    response = api.get(path)
    assert response.status_code == 400, response.content
    assert list(fields_of(response)) == [field]


def test_cursor_of_another_ordering_or_list_is_refused(api: ApiClient) -> None:
    for number in range(3):
        create_lead(name=f"Lead {number}")
    following = api.get("/api/leads?ordering=name&limit=1").json()["next"]
    cursor = following.partition("cursor=")[2].partition("&")[0]
    assert api.get(f"/api/leads?ordering=name&limit=1&cursor={cursor}").status_code == 200
    for path in ("/api/leads?ordering=-name", "/api/leads?limit=1", "/api/events?limit=1"):
        assert list(fields_of(api.get(f"{path}&cursor={cursor}"))) == ["cursor"]


def test_events_are_narrowed(api: ApiClient) -> None:
    thing = uuid7()
    make_events(2, thing)
    lead = create_lead(name="Ada")
    Event.unscoped.filter(subject_id=lead.id).update(status=EventStatus.FAILED, source="web")
    assert len(api.results("/api/events")) == 3
    assert len(api.results("/api/events?type=thing.happened")) == 2
    assert len(api.results(f"/api/events?subject={thing}")) == 2
    assert len(api.results("/api/events?status=pending")) == 2
    assert len(api.results("/api/events/status/pending")) == 2
    [failed] = api.results("/api/events?status=failed")
    assert failed["type"] == "lead.created"
    assert api.results("/api/events?source=web") == [failed]
    tomorrow = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert len(api.results(f"/api/events?created_before={tomorrow}")) == 3
    assert api.results(f"/api/events?created_after={tomorrow}") == []
    assert api.results("/api/events?request_id=unheard-of") == []


def test_events_of_a_type_that_is_no_longer_declared_are_found(api: ApiClient) -> None:
    event = make_event()
    Event.unscoped.filter(pk=event.pk).update(type="crm.synced")
    [found] = api.results("/api/events?type=crm.synced")
    assert found["id"] == str(event.id)


def test_events_come_newest_first_page_by_page(api: ApiClient) -> None:
    ids = [str(event.id) for event in make_events(7)]
    assert [row["id"] for row in api.walk("/api/events?limit=3")] == ids[::-1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("created_before=9999-12-31T23:59:59Z", 1),
        ("created_before=0001-01-01T00:00:00Z", 0),
        ("created_after=9999-12-31T23:59:59Z", 0),
        ("created_after=0001-01-01T00:00:00Z", 1),
    ],
)
def test_events_are_narrowed_by_the_first_and_the_last_moment_there_is(
    api: ApiClient, query: str, found: int
) -> None:
    make_event()
    assert len(api.results(f"/api/events?{query}")) == found


# They outlive the rows, and would tell other tests of a table that is not there any more.
FORGET_STATISTICS = """
    SELECT pg_clear_attribute_stats(schemaname, tablename, attname, inherited)
    FROM pg_stats WHERE tablename = %s
"""


@pytest.mark.django_db(transaction=True)  # for VACUUM, which tells what an index answers alone
def test_what_failed_of_a_type_is_not_looked_for_among_all_that_failed(api: ApiClient) -> None:
    few, others = make_events(60), make_events(3_600)
    ids = [event.pk for event in others]
    Event.unscoped.filter(pk__in=ids).update(type="other.happened", status=EventStatus.PROCESSED)
    failed = ids[-600:] + [event.pk for event in few]
    Event.unscoped.filter(pk__in=failed).update(status=EventStatus.FAILED)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) events")
        with CaptureQueriesContext(connection) as queries:
            assert len(api.results("/api/events?status=failed&type=thing.happened")) == 50
        cursor.execute(f"EXPLAIN {queries[-1]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute(FORGET_STATISTICS, ["events"])
    assert "events_failed_by_type" in plan, plan


@pytest.mark.parametrize("path", ["/api/leads", "/api/leads/", "/api/events/", "/api/pipelines/"])
def test_trailing_slash_is_optional(api: ApiClient, path: str) -> None:
    assert api.get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/api/leads", 3),
        ("/api/leads?search=lead&ordering=-value", 3),
        ("/api/events", 2),
        ("/api/events?type=lead.created&status=pending", 2),
        ("/api/pipelines", 3),
    ],
)
def test_lists_cost_the_same_whatever_they_show(
    api: ApiClient, tenant: Tenant, path: str, queries: int, django_assert_num_queries: Any
) -> None:
    for number in range(12):
        owner = make_user(tenant)
        create_lead(name=f"Lead {number}", emails=[f"l{number}@example.com"], owner=owner)
    with django_assert_num_queries(queries):
        assert api.get(path).status_code == 200
