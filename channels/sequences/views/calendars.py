"""The settings of calendars: when people may be written to."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from channels.sequences.calendar_forms import CalendarForm
from channels.sequences.calendars import WEEKDAYS
from channels.sequences.models import WorkCalendar
from channels.sequences.work_calendars import (
    OFFICE_HOURS,
    delete_calendar,
    make_default_calendar,
    save_calendar,
)
from salesflow.accounts.views import LeadingRoleMixin


class CalendarListView(LeadingRoleMixin, TemplateView):
    """All calendars of the team by name: there are few."""

    template_name = "sequences/calendars.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What sequences/calendars.html names."""
        rows = WorkCalendar.objects.order_by("name", "pk")
        shown = [{"calendar": row, "days": days_in_words(row)} for row in rows]
        return super().get_context_data(section="settings", tab="calendars", rows=shown, **kwargs)


class ChangingMixin(LeadingRoleMixin):
    """Changes a calendar: one that a colleague has deleted meanwhile is not found."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer."""
        try:
            return super().dispatch(request, *args, **kwargs)
        except WorkCalendar.DoesNotExist:
            raise Http404 from None


class CalendarFormView(ChangingMixin, View):
    """A calendar: a new one, or one of the team's."""

    kwargs: dict[str, Any]

    @cached_property
    def calendar(self) -> WorkCalendar:
        """The calendar that the address names; a new one begins with office hours."""
        if "calendar_id" not in self.kwargs:
            return WorkCalendar(hours=OFFICE_HOURS)
        rows = WorkCalendar.objects.all()
        found: WorkCalendar = get_object_or_404(rows, pk=self.kwargs["calendar_id"])
        return found

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The form."""
        return self._show(CalendarForm(calendar=self.calendar))

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Keep it."""
        form = CalendarForm(request.POST, calendar=self.calendar)
        if not form.is_valid() or not form.run(lambda: save_calendar(self.calendar, **form.given)):
            return self._show(form, status=422)
        messages.success(request, _("%(name)s was saved.") % {"name": self.calendar.name})
        return redirect("sequences-settings:calendars")

    def _show(self, form: CalendarForm, status: int = 200) -> HttpResponse:
        known = self.calendar if "calendar_id" in self.kwargs else None
        context = {"section": "settings", "form": form, "calendar": known}
        return render(self.request, "sequences/calendar_form.html", context, status=status)


class CalendarVerbView(ChangingMixin, View):
    """Make a calendar the default one, or delete it."""

    http_method_names = ["post"]
    verb = ""

    def post(self, request: HttpRequest, calendar_id: Any) -> HttpResponse:
        """Do it."""
        calendar = get_object_or_404(WorkCalendar.objects.all(), pk=calendar_id)
        if self.verb == "default":
            do, told = make_default_calendar, _("%(name)s is the default calendar.")
        else:
            do, told = delete_calendar, _("%(name)s was deleted.")
        try:
            do(calendar)
            messages.success(request, told % {"name": calendar.name})
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        return redirect("sequences-settings:calendars")


def days_in_words(calendar: WorkCalendar) -> list[tuple[str, str]]:
    """The days of the week with their hours; of a closed one, nothing."""
    return [
        (
            str(WEEKDAYS_ABBR[number]),
            ", ".join(f"{a}\u2013{b}" for a, b in calendar.hours.get(day, [])),
        )
        for number, day in enumerate(WEEKDAYS)
    ]
