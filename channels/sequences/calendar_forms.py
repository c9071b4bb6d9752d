"""The form of a calendar: hours as people write them, a line for each day."""

import re
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import WEEKDAYS as NAMES
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from channels.sequences.calendars import WEEKDAYS
from channels.sequences.models import WorkCalendar
from leads.forms import LinesField, ServiceForm

# Such as "9:00-12:30": hyphens and dashes of all kinds.
SPAN = re.compile(r"(\d{1,2}:\d{2})\s*[-\u2013\u2014]\s*(\d{1,2}:\d{2})")


class HoursField(forms.CharField):
    """The hours of one day: “9:00–12:30, 13:00–17:00”; empty: it is closed."""

    def to_python(self, value: Any) -> list[list[str]]:  # type: ignore[override]
        text = super().to_python(value) or ""
        spans = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            found = SPAN.fullmatch(part)
            if found is None:
                raise ValidationError(
                    _("“%(part)s” are no hours, such as 9:00–17:00."), params={"part": part}
                )
            spans.append([clock.zfill(5) for clock in found.groups()])
        return spans

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return ", ".join(f"{opens}\u2013{closes}" for opens, closes in value)
        return value


class DaysField(LinesField):
    """Days, one per line, such as 2026-12-24."""

    def to_python(self, value: Any) -> list[Any]:  # type: ignore[override]
        days = []
        for line in super().to_python(value):
            try:
                days.append(date.fromisoformat(line))
            except ValueError:
                reason = _("“%(line)s” is no day, such as 2026-12-24.")
                raise ValidationError(reason, params={"line": line}) from None
        return sorted({*days})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value


class CalendarForm(ServiceForm):
    """A calendar; the service says what is wrong with it."""

    name = forms.CharField(label=_("Name"), max_length=100)
    country = forms.CharField(
        label=_("Country"),
        max_length=2,
        required=False,
        help_text=_(
            "Two letters, such as DE. Its public holidays are kept where the country of whoever is"
            " written to is not known; else theirs are."
        ),
    )
    subdivision = forms.CharField(
        label=_("Part of the country"),
        max_length=10,
        required=False,
        help_text=_("Where it has holidays of its own, such as BY for Bavaria."),
    )
    closed = DaysField(
        label=_("Closed days"), required=False, help_text=_("One per line, such as 2026-12-24.")
    )
    yearly = LinesField(
        label=_("Closed days of every year"),
        required=False,
        help_text=_("One per line, month and day, such as 12-24. 02-29 counts in leap years only."),
    )

    def __init__(self, *args: Any, calendar: WorkCalendar, **kwargs: Any) -> None:
        initial: dict[str, Any] = {n: getattr(calendar, n) for n in CalendarForm.base_fields}
        hours = calendar.hours or {}
        initial |= {day: hours.get(day, []) for day in WEEKDAYS}
        super().__init__(*args, **{**kwargs, "initial": initial})
        for number, day in enumerate(WEEKDAYS):
            field = HoursField(label=NAMES[number], required=False)
            field.widget.attrs |= {
                "autocomplete": "off",
                "placeholder": pgettext_lazy("of a day", "closed"),
            }
            self.fields[day] = field

    @property
    def hour_fields(self) -> list[forms.BoundField]:
        """The days of the week."""
        return [self[day] for day in WEEKDAYS]

    @property
    def day_fields(self) -> list[forms.BoundField]:
        """When it is closed all the same."""
        return [self[name] for name in ("country", "subdivision", "closed", "yearly")]

    @property
    def given(self) -> dict[str, Any]:
        """What the service takes."""
        given = {name: self.cleaned_data[name] for name in CalendarForm.base_fields}
        hours = {day: self.cleaned_data[day] for day in WEEKDAYS if self.cleaned_data[day]}
        return {**given, "country": given["country"].upper(), "hours": hours}
