"""The calendars that a team keeps: rows that become `calendars.Calendar`, and what changes them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from channels.sequences.calendars import WEEKDAYS, Calendar, Unusable, is_country, read_calendar
from channels.sequences.models import WorkCalendar
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant

OFFICE_HOURS = {day: [["09:00", "17:00"]] for day in WEEKDAYS[:5]}
NEVER = Calendar(hours=((),) * 7)
LONGEST_NAME = 100


class CalendarFields(TypedDict, total=False):
    """What a calendar holds; see `WorkCalendar`."""

    name: str
    hours: Mapping[str, Sequence[Sequence[str]]]
    country: str
    subdivision: str
    closed: Sequence[date]
    yearly: Sequence[str]


def calendar_row(calendar_id: UUID | None = None) -> WorkCalendar | None:
    """The calendar with this id; the team's default one where there is none, or none is named."""
    rows = {row.pk: row for row in WorkCalendar.objects.all()}
    default = next((row for row in rows.values() if row.is_default), None)
    return rows.get(calendar_id, default) if calendar_id else default


def calendar_for(calendar_id: UUID | None, country: str = "") -> Calendar:
    """A calendar as the engine reads it, with the holidays of a contact's country.

    Args:
        country: empty where nobody knows it: then those of the calendar's own are kept.
    """
    row = calendar_row(calendar_id)
    calendar = usable(row) if row else read_calendar(OFFICE_HOURS)
    return calendar.of_contact(country)


def read_row(row: WorkCalendar) -> Calendar:
    """A row as the engine reads it.

    Raises:
        Unusable: something in it cannot be read.
    """
    return read_calendar(
        row.hours,
        country=row.country,
        subdivision=row.subdivision,
        closed=[str(day) for day in row.closed],
        yearly=row.yearly,
    )


def usable(row: WorkCalendar) -> Calendar:
    """A row as the engine reads it. One that cannot be read never opens, such as one of a country
    that a later release of the library does not know any more."""
    try:
        return read_row(row)
    except Unusable:
        return NEVER


@transaction.atomic
def save_calendar(row: WorkCalendar, **fields: Unpack[CalendarFields]) -> WorkCalendar:
    """Write a calendar, or these fields of a known one; the first of a team is its default.

    Raises:
        ValidationError: by the name of the field.
        WorkCalendar.DoesNotExist: it was deleted meanwhile.
    """
    is_known = not row._state.adding
    for name, value in fields.items():
        setattr(row, name, value.strip() if isinstance(value, str) else value)
    if not row.name or len(row.name) > LONGEST_NAME:
        raise ValidationError({"name": _("A name has 1 to 100 characters.")})
    try:
        read_row(row)
    except Unusable as error:
        raise ValidationError({error.field: error.reason}) from None
    if is_known:
        _locked(row)
    else:
        row.is_default = not WorkCalendar.objects.filter(is_default=True).exists()
    try:
        with transaction.atomic():
            row.save(update_fields=list(fields) if is_known else None)
    except IntegrityError:
        raise ValidationError({"name": _("There is a calendar of this name.")}) from None
    return row


@transaction.atomic
def make_default_calendar(row: WorkCalendar) -> None:
    """Let sequences that name no calendar keep this one from now on.

    Raises:
        WorkCalendar.DoesNotExist: it was deleted meanwhile.
    """
    row = _locked(row)
    WorkCalendar.objects.filter(is_default=True).update(is_default=False)
    row.is_default = True
    row.save(update_fields=["is_default"])


@transaction.atomic
def delete_calendar(row: WorkCalendar) -> None:
    """Delete a calendar; sequences that kept it keep the default one.

    Raises:
        ValidationError: it is the default one.
        WorkCalendar.DoesNotExist: it was deleted meanwhile.
    """
    row = _locked(row)
    if row.is_default:
        raise ValidationError(_("This is the default calendar: make another one the default."))
    row.delete()


def _locked(row: WorkCalendar) -> WorkCalendar:
    """The calendar as it is in the database, and none of its team changes until the transaction
    ends: which one is the default depends on all of them."""
    list(WorkCalendar.objects.select_for_update().order_by("pk").values_list("pk"))
    found: WorkCalendar = WorkCalendar.objects.get(pk=row.pk)
    return found


def create_calendar_of_new_tenant(
    instance: Tenant, *, created: bool, raw: bool = False, **_signal: Any
) -> None:
    """Receiver of Tenant's post_save: no team is ever without hours."""
    if created and not raw:
        country = instance.language.upper()
        with tenant_context(instance), translation.override(instance.language):
            WorkCalendar.objects.create(
                name=_("Office hours"),
                hours=OFFICE_HOURS,
                country=country if is_country(country) else "",
                is_default=True,
            )
