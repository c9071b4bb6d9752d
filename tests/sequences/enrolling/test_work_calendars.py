"""Calendars as teams keep them."""

from datetime import date
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from channels.sequences.models import WorkCalendar
from channels.sequences.work_calendars import (
    OFFICE_HOURS,
    calendar_for,
    calendar_row,
    delete_calendar,
    make_default_calendar,
    save_calendar,
)
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.events.threads import behind
from tests.factories import make_tenant, make_user
from tests.web import browser_of

pytestmark = pytest.mark.usefixtures("tenant")


def make_calendar(**fields: Any) -> WorkCalendar:
    return save_calendar(WorkCalendar(), **{"name": "Late", "hours": OFFICE_HOURS, **fields})


def test_new_team_has_office_hours() -> None:
    [row] = WorkCalendar.objects.all()
    assert (row.name, row.is_default, row.country) == ("Office hours", True, "")
    with tenant_context(make_tenant(language="de")):
        [row] = WorkCalendar.objects.all()
        assert (row.is_default, row.country) == (True, "DE")


def test_calendar_is_found_or_the_default_one_in_its_place() -> None:
    default, own = WorkCalendar.objects.get(), make_calendar()
    assert calendar_row(own.pk) == own
    assert calendar_row() == default
    assert calendar_row(uuid7()) == default
    with tenant_context(make_tenant()):
        assert calendar_row(own.pk) != own


def test_holidays_are_those_of_the_contacts_country() -> None:
    make_calendar(country="DE", closed=[date(2026, 12, 24)], yearly=["12-31"])
    own = WorkCalendar.objects.get(name="Late")
    unity, independence = date(2026, 10, 3), date(2026, 7, 4)
    assert calendar_for(own.pk).is_closed(unity)
    assert not calendar_for(own.pk, "US").is_closed(unity)
    assert calendar_for(own.pk, "US").is_closed(independence)
    for day in (date(2026, 12, 24), date(2027, 12, 31)):
        assert calendar_for(own.pk, "US").is_closed(day)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": ""}, "name"),
        ({"name": "office hours"}, "name"),
        ({"hours": {}}, "hours"),
        ({"hours": {"mon": [["17:00", "17:00"]]}}, "hours"),
        ({"country": "XX"}, "country"),
        ({"country": "DE", "subdivision": "ZZ"}, "subdivision"),
        ({"yearly": ["13-40"]}, "yearly"),
    ],
)
def test_wrong_calendar_is_refused_by_its_field(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError) as error:
        make_calendar(**fields)
    assert list(error.value.message_dict) == [name]
    assert WorkCalendar.objects.count() == 1


def test_one_calendar_is_the_default_and_stays() -> None:
    default, own = WorkCalendar.objects.get(), make_calendar()
    with pytest.raises(ValidationError):
        delete_calendar(default)
    make_default_calendar(own)
    assert WorkCalendar.objects.get(is_default=True) == own
    delete_calendar(WorkCalendar.objects.get(pk=default.pk))
    assert [*WorkCalendar.objects.all()] == [own]


@pytest.mark.django_db(transaction=True)
def test_of_two_calendars_made_the_default_at_once_one_is_it(tenant: Tenant) -> None:
    default = WorkCalendar.objects.get()

    def make_default(row: WorkCalendar) -> None:
        with tenant_context(tenant):
            make_default_calendar(row)

    works = [partial(make_default, make_calendar(name=name)) for name in ("Early", "Late")]
    behind(lambda: make_default_calendar(default), *works)
    assert WorkCalendar.objects.get(is_default=True) != default


@pytest.mark.django_db(transaction=True)
def test_calendar_that_becomes_the_default_meanwhile_is_not_deleted(tenant: Tenant) -> None:
    own = make_calendar()

    def delete() -> None:
        with tenant_context(tenant):
            delete_calendar(own)

    chosen = WorkCalendar.objects.get(pk=own.pk)
    with pytest.raises(ValidationError):
        behind(lambda: make_default_calendar(chosen), delete)
    assert calendar_row() == own


def test_hours_that_are_saved_leave_it_open_which_calendar_is_the_default() -> None:
    default, own = WorkCalendar.objects.get(), make_calendar()
    stale = WorkCalendar.objects.get(pk=own.pk)
    make_default_calendar(own)
    save_calendar(stale, hours={"mon": [["10:00", "12:00"]]})
    save_calendar(default, country="DE")
    found = WorkCalendar.objects.get(is_default=True)
    assert (found, found.hours) == (own, {"mon": [["10:00", "12:00"]]})


def test_calendar_that_was_deleted_meanwhile_does_not_come_back() -> None:
    own = make_calendar()
    delete_calendar(WorkCalendar.objects.get(pk=own.pk))
    with pytest.raises(WorkCalendar.DoesNotExist):
        save_calendar(own, name="Early")
    assert not WorkCalendar.objects.filter(pk=own.pk).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["calendar", "default-calendar", "delete-calendar"])
def test_calendar_that_a_colleague_deletes_meanwhile_is_not_found(
    tenant: Tenant, what: str
) -> None:
    own, browser = make_calendar(), browser_of(make_user(tenant, role="manager"))
    address = reverse(f"sequences-settings:{what}", args=[own.pk])
    form = {"name": "Early", "mon": "10:00-12:00"}
    gone = WorkCalendar.objects.get(pk=own.pk)
    assert behind(
        lambda: delete_calendar(gone), lambda: browser.post(address, form).status_code
    ) == [404]
