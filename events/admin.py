"""The event console in the admin: events and replays under the addresses of their models."""

from typing import Any
from uuid import UUID

import django_celery_results.admin  # noqa: F401 (it registers what is taken away below)
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django_celery_results.models import GroupResult, TaskResult

from events.console import (  # noqa: F401 (their pages register themselves)
    alert_rules,
    audit,
    replay_list,
)
from events.console.event_list import event_list, newer_events
from events.console.event_page import event_page, payload_file
from events.console.pages import console_path, in_time
from events.console.urls import console_urls
from events.models import Event
from salesflow.accounts.admin_scope import ReadOnly, TenantScopedAdmin

# What tasks did is on the events; a long job's result is for whoever looks into its table.
admin.site.unregister([GroupResult, TaskResult])
# The console's pages that belong to no model.
admin.site.extra_urls = console_urls  # type: ignore[attr-defined]


@admin.register(Event)
class EventAdmin(ReadOnly, TenantScopedAdmin):
    """Events are read here and replayed, never edited."""

    actions = None

    def get_urls(self) -> list[Any]:
        """Also an event's payload as a file, and what is newer than an open list."""
        payload = console_path("<uuid:event_id>/payload.json", payload_file, "event_payload")
        newer = console_path("newer/", newer_events, "event_newer")
        return [payload, newer, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """Without payloads, which may be large."""
        return super().get_queryset(request).defer("payload")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The event list."""
        return in_time(event_list)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """One event."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        try:
            return in_time(event_page)(request, UUID(unquote(object_id)))
        except ValueError:
            raise Http404 from None
