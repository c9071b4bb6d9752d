"""Selections: said in an address, kept in JSON, narrowed in the database."""

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from events.models import Delivery, Event, FailureGroup
from events.selections import MOST_IDS, Selection
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.factories import make_tenant
from tests.staff import make_staff, make_superuser

pytestmark = pytest.mark.django_db


def make_failed(count: int, handler: str = "broken", group: FailureGroup | None = None) -> set[Any]:
    events = make_events(count)
    ids = {event.pk for event in events}
    Event.unscoped.filter(pk__in=ids).update(status="failed", processed_at=timezone.now())
    Delivery.objects.bulk_create(
        Delivery(
            event_id=pk, handler=handler, status="failed", group_id=group.pk if group else None
        )
        for pk in ids
    )
    return ids


def make_group(tenant: Tenant, fingerprint: Any, handler: str = "broken") -> FailureGroup:
    now = timezone.now()
    return FailureGroup.unscoped.create(
        tenant=tenant,
        fingerprint=fingerprint,
        handler=handler,
        error_type="ValueError",
        message="no rate for #",
        first_seen_at=now,
        last_seen_at=now,
    )


def found(**selected: Any) -> set[Any]:
    events = Selection(**selected).events(Event.unscoped.all())
    return set(events.values_list("pk", flat=True))


def full_selection() -> Selection:
    return Selection(
        ids=(uuid7(), uuid7()),
        status="failed",
        type="lead.created",
        handler="send_mail",
        source="web",
        tenant=str(uuid7()),
        subject=str(uuid7()),
        request_id="r-1 & 2",
        group=str(uuid4()),
        recorded_after=timezone.now(),
        recorded_before=timezone.now(),
    )


def test_address_and_json_tell_the_whole_selection() -> None:
    selection = full_selection()
    assert Selection.from_query(QueryDict(urlencode(selection.as_json()))) == selection
    assert Selection.from_json(selection.as_json()) == selection
    assert Selection.from_query(QueryDict("")) == Selection()


def test_empty_parameters_of_a_form_say_nothing() -> None:
    assert Selection.from_query(QueryDict("status=&type=+&group=")) == Selection()


def test_parameters_that_somebody_else_reads_are_passed_over() -> None:
    params = QueryDict("after=abc&status=failed")
    assert Selection.from_query(params, also=["after"]) == Selection(status="failed")


@pytest.mark.parametrize(
    "query",
    [
        "statsu=failed",
        "status=done",
        "status=failed&status=pending",
        "ids=1,2",
        "tenant=acme",
        "subject=none",
        "group=first",
        "type=a%00b",
        f"request_id={'x' * 65}",
        "recorded_after=yesterday",
        "recorded_before=2026-02-31",
        "recorded_before=0001-01-01T00:00:00%2B23:00",
    ],
)
def test_what_cannot_be_read_is_named(query: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Selection.from_query(QueryDict(query))
    assert list(refused.value.message_dict) == [query.partition("=")[0]]


def test_more_ids_than_an_address_holds_are_refused() -> None:
    ids = ",".join(str(uuid7()) for _ in range(MOST_IDS + 1))
    with pytest.raises(ValidationError, match="at most 200"):
        Selection.from_query({"ids": ids})


def test_day_without_a_time_begins_at_midnight() -> None:
    selection = Selection.from_query({"recorded_after": "2026-01-31"})
    assert selection.recorded_after
    assert timezone.localtime(selection.recorded_after).isoformat()[:16] == "2026-01-31T00:00"


def test_events_are_narrowed_by_what_they_are(tenant: Tenant) -> None:
    first, second = make_event(), make_event()
    with tenant_context(make_tenant()) as other:
        third = make_event()
    Event.unscoped.filter(pk=second.pk).update(status="failed", source="import", request_id="r1")
    assert found() == {first.pk, second.pk, third.pk}
    assert found(ids=(first.pk, third.pk)) == {first.pk, third.pk}
    assert found(status="failed") == {second.pk}
    assert found(type="other.happened") == set()
    assert found(source="import", request_id="r1") == {second.pk}
    assert found(tenant=str(other.pk)) == {third.pk}
    assert found(subject=str(first.subject_id)) == {first.pk}


def test_events_are_narrowed_by_when_they_were_recorded(tenant: Tenant) -> None:
    first = make_event()
    moment = timezone.now()
    Event.unscoped.filter(pk=first.pk).update(created_at=moment)
    assert found(recorded_after=moment) == {first.pk}
    assert found(recorded_before=moment) == set()


def test_handler_means_events_that_failed_at_it(tenant: Tenant) -> None:
    failed, _others = make_failed(2, "broken"), make_failed(1, "other")
    processed = make_event()
    Event.unscoped.filter(pk=processed.pk).update(status="processed")
    Delivery.objects.create(event=processed, handler="broken", status="succeeded")
    assert found(handler="broken") == failed
    assert found(handler="broken", status="failed") == failed
    assert found(handler="broken", status="processed") == {processed.pk}


def test_group_means_its_standing_failures_at_all_tenants(tenant: Tenant) -> None:
    fingerprint = uuid4()
    here = make_failed(2, group=make_group(tenant, fingerprint))
    make_failed(1, group=make_group(tenant, uuid4()))
    with tenant_context(make_tenant()) as other:
        there = make_failed(1, group=make_group(other, fingerprint))
    mended = here.pop()
    Delivery.objects.filter(event_id=mended).update(status="succeeded")
    assert found(group=str(fingerprint)) == here | there
    assert found(group=str(fingerprint), tenant=str(other.pk)) == there
    assert found(group=str(uuid4())) == set()


def test_description_is_for_people(tenant: Tenant) -> None:
    group = make_group(tenant, uuid4())
    selection = Selection(
        status="failed",
        type="lead.created",
        tenant=str(tenant.pk),
        group=str(group.fingerprint),
        ids=(uuid7(), uuid7()),
    )
    assert selection.described(make_superuser()) == [
        ("Events", "2"),
        ("Status", "Failed"),
        ("Type", "Lead created (lead.created)"),
        ("Tenant", "Acme"),
        ("Failure", "broken: ValueError: no rate for #"),
    ]


def test_description_tells_nobody_what_they_may_not_see(tenant: Tenant) -> None:
    group = make_group(tenant, uuid4())
    selection = Selection(tenant=str(tenant.pk), group=str(group.fingerprint))
    told = dict(selection.described(make_staff(make_tenant())))
    assert told == {"Tenant": str(tenant.pk), "Failure": str(group.fingerprint)}
