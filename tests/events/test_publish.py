"""What publishing writes."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from pydantic import ValidationError

from events import metrics, publish
from events.context import event_context
from events.models import Event
from events.nudging import Announcement
from events.publishing import EVENT_FIELDS
from events.testing import handler_of
from salesflow.accounts.context import TenantNotSet, tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.payloads import OtherHappened, ThingHappened
from tests.factories import make_tenant


@pytest.mark.django_db
def test_event_needs_a_tenant() -> None:
    with pytest.raises(TenantNotSet):
        publish(OtherHappened())


def test_event_is_of_the_current_tenant(tenant: Tenant) -> None:
    assert publish(OtherHappened()).tenant == tenant


def test_event_is_invisible_to_another_tenant(tenant: Tenant) -> None:
    make_event()
    with tenant_context(make_tenant()):
        assert not Event.objects.exists()


@pytest.mark.django_db
def test_reading_events_without_a_tenant_raises() -> None:
    with pytest.raises(TenantNotSet):
        Event.objects.count()


def test_event_carries_its_subject_and_typed_payload(tenant: Tenant) -> None:
    thing_id = uuid7()
    event = publish(ThingHappened(thing_id=thing_id, number=7))
    event.refresh_from_db()
    assert (event.subject_type, event.subject_id) == ("thing", thing_id)
    assert event.data == ThingHappened(thing_id=thing_id, number=7)


def test_unknown_payload_key_is_refused() -> None:
    unknown: dict[str, Any] = {"colour": "red"}
    with pytest.raises(ValidationError, match="colour"):
        OtherHappened(**unknown)


def test_event_takes_source_and_request_from_the_context(tenant: Tenant) -> None:
    with event_context(source="import", request_id="r-1"):
        event = publish(OtherHappened())
    assert (event.source, event.request_id) == ("import", "r-1")


def test_event_keeps_a_historic_date(tenant: Tenant) -> None:
    then = datetime(2016, 10, 20, tzinfo=UTC)
    event = publish(OtherHappened(), occurred_at=then)
    event.refresh_from_db()
    assert event.occurred_at == then
    assert event.created_at > then


def test_events_are_numbered_in_the_order_of_publishing(tenant: Tenant) -> None:
    events = make_events(5)
    published = list(Event.objects.order_by("position"))
    assert published == events
    assert [event.id for event in events] == sorted(event.id for event in events)


def test_event_vanishes_with_the_change_that_caused_it(tenant: Tenant) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make_event()
        raise ZeroDivisionError
    assert not Event.objects.exists()


def test_written_fields_are_the_models_but_for_what_the_database_fills_in() -> None:
    names = [field.attname for field in Event._meta.concrete_fields]
    # The last is what a correction writes when it takes its event's place.
    left_out = ["position", "created_at", "due_at", "corrects_id"]
    assert [name for name in names if name not in left_out] == EVENT_FIELDS


def _announcements() -> list[Announcement]:
    callbacks = [entry[1] for entry in connection.run_on_commit]
    return [callback for callback in callbacks if isinstance(callback, Announcement)]


@pytest.mark.django_db
def test_one_transaction_announces_once(tenant: Tenant) -> None:
    make_events(3)
    make_event()
    publish(OtherHappened())
    [announcement] = _announcements()
    assert announcement.types == {"thing.happened": 4, "other.happened": 1}


@pytest.mark.django_db
def test_announcement_survives_a_rolled_back_savepoint(tenant: Tenant) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make_event()
        raise ZeroDivisionError
    make_event()
    [announcement] = _announcements()
    assert announcement.types == {"thing.happened": 1}


def _announced() -> int:
    return sum(announcement.types.total() for announcement in _announcements())


@pytest.mark.django_db
def test_what_is_rolled_back_is_not_announced(tenant: Tenant) -> None:
    make_event()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make_events(2)
        with transaction.atomic():
            make_events(3)
        raise ZeroDivisionError
    assert _announced() == 1


@pytest.mark.django_db
def test_what_savepoints_kept_is_announced(tenant: Tenant) -> None:
    make_event()
    with transaction.atomic():
        make_events(2)
        with transaction.atomic():
            make_events(3)
        make_events(4)
    make_events(5)
    assert _announced() == 15
    assert len(_announcements()) == 3


def _published(event_type: str) -> float:
    """What the metric says."""
    [metric] = metrics.PUBLISHED.collect()
    found = [sample for sample in metric.samples if sample.labels["type"] == event_type]
    return sum(sample.value for sample in found if sample.name.endswith("_total"))


@pytest.mark.django_db(transaction=True)
def test_events_of_a_handler_that_was_halved_are_counted_once(
    tenant: Tenant, settle_events: Callable[[], int]
) -> None:
    def react(events: list[Event]) -> None:
        for event in events:
            publish(OtherHappened(number=event.payload["number"]))
        if any(event.payload["number"] == 7 for event in events):
            raise ZeroDivisionError

    def prepare(event: Event) -> None:
        publish(OtherHappened(number=-1))

    before = _published("other.happened")
    with (
        handler_of("thing.happened", function=prepare),
        handler_of("thing.happened", function=react, batch=True),
    ):
        make_events(8)
        settle_events()
    assert Event.objects.filter(type="other.happened").count() == 8 + 7
    assert _published("other.happened") - before == 8 + 7
