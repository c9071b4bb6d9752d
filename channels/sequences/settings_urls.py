"""The addresses of the settings of sequences: their calendars."""

from django.urls import path

from channels.sequences.views import calendars

app_name = "sequences-settings"

urlpatterns = [
    path("/calendars", calendars.CalendarListView.as_view(), name="calendars"),
    path("/calendars/new", calendars.CalendarFormView.as_view(), name="new-calendar"),
    path("/calendars/<uuid:calendar_id>", calendars.CalendarFormView.as_view(), name="calendar"),
    path(
        "/calendars/<uuid:calendar_id>/default",
        calendars.CalendarVerbView.as_view(verb="default"),
        name="default-calendar",
    ),
    path(
        "/calendars/<uuid:calendar_id>/delete",
        calendars.CalendarVerbView.as_view(verb="delete"),
        name="delete-calendar",
    ),
]
