"""The event console in the admin: what happened, what failed, and why; replay."""

from typing import Any
from uuid import UUID

import django_celery_results.admin  # noqa: F401 (it registers what is taken away below)
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django_celery_results.models import GroupResult, TaskResult
from unfold.decorators import display

from events import admin_actions, admin_pages
from events.admin_filters import (
    RecordedFilter,
    ReplayStatusFilter,
    SourceFilter,
    StatusFilter,
    TypeFilter,
)
from events.console import alert_rules, audit  # noqa: F401 (their pages register themselves)
from events.console.event_list import event_list
from events.console.event_page import event_page, payload_file
from events.console.pages import in_time
from events.console.urls import console_urls
from events.models import Event, Replay
from salesflow.accounts.admin_scope import (
    ReadOnly,
    TenantFilter,
    TenantScopedAdmin,
    sees_many_tenants,
)

# What tasks did is on the events; a long job's result is for whoever looks into its table.
admin.site.unregister([GroupResult, TaskResult])
# The console's pages that belong to no model.
admin.site.extra_urls = console_urls  # type: ignore[attr-defined]

MAY_REPLAY = "events.replay_event"
EVENT_COLOURS = {"pending": "info", "processed": "success", "failed": "danger"}


class PagesOfOne:
    """Pages of single rows that are made by hand instead of from a form."""

    opts: Any
    admin_site: Any

    def found(self, request: HttpRequest, object_id: str) -> Any:
        """The visible row.

        Raises:
            PermissionDenied: the user may not see such rows.
            Http404: there is no such row, or it is another tenant's.
        """
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))  # type: ignore[attr-defined]
        if row is None:
            raise Http404
        return row

    def page(self, request: HttpRequest, name: str, **context: Any) -> TemplateResponse:
        """The template `name` within the admin's frame."""
        template = f"admin/events/{self.opts.model_name}/{name}.html"
        frame = {**self.admin_site.each_context(request), "opts": self.opts}
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, frame | context)

    def urls_before(self, *views: tuple[str, Any, str]) -> list[Any]:
        """Addresses of further pages: (route, view, name)."""
        return [
            path(
                route,
                self.admin_site.admin_view(view),
                name=f"events_{self.opts.model_name}_{name}",
            )
            for route, view, name in views
        ]


@admin.register(Event)
class EventAdmin(PagesOfOne, ReadOnly, TenantScopedAdmin):
    """Events are read here and replayed, never edited."""

    list_filter = [
        StatusFilter,
        TypeFilter,
        SourceFilter,
        TenantFilter,
        ("created_at", RecordedFilter),
    ]
    actions = None

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

    def get_urls(self) -> list[Any]:
        """Also the plan of a replay and an event's payload as a file."""
        views = self.urls_before(
            ("replay/", self.replay_view, "replay"),
            ("<uuid:event_id>/payload.json", in_time(payload_file), "payload"),
        )
        return [*views, *super().get_urls()]

    # --- Replay ---------------------------------------------------------------------------------

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Whether the user may replay what they see."""
        return self.has_view_permission(request) and request.user.has_perm(MAY_REPLAY)

    def replay_view(self, request: HttpRequest) -> HttpResponse:
        """Show what a replay would run; started only with a reason."""
        if not self.has_replay_permission(request):
            raise PermissionDenied
        try:
            selection = admin_actions.selection_of(request, self)
        except IncorrectLookupParameters:
            messages.error(request, _("This selection cannot be read. Nothing was replayed."))
            return redirect("admin:events_event_changelist")
        form = admin_actions.ReplayForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return self._start(request, selection, form)
        return self._plan(request, selection, form)

    def _start(self, request: HttpRequest, selection: Any, form: Any) -> HttpResponseRedirect:
        replay = admin_actions.start(selection, form, request.user)
        if replay is None:
            messages.warning(request, _("Nothing was replayed: no failed event is left to run."))
            return redirect("admin:events_event_changelist")
        messages.success(request, admin_actions.started_message(replay))
        return redirect("admin:events_replay_change", replay.pk)

    def _plan(self, request: HttpRequest, selection: Any, form: Any) -> TemplateResponse:
        plan = admin_actions.plan_of(selection)
        back = request.GET.urlencode() if admin_actions.IDS not in request.GET else ""
        return self.page(
            request,
            "replay",
            title=_("Replay"),
            plan=plan,
            form=form,
            as_of=plan.as_of.isoformat() if plan.as_of else "",
            back_url=f"{reverse('admin:events_event_changelist')}?{back}",
        )


@admin.register(Replay)
class ReplayAdmin(PagesOfOne, ReadOnly, TenantScopedAdmin):
    """Who replayed what, when, why, and what came of it."""

    list_display = ["why", "state", "selected", "by", "tenant", "started", "finished"]
    list_display_links = ["why"]
    list_filter = [ReplayStatusFilter, TenantFilter]
    ordering = ["-id"]
    sortable_by = ()
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Replay]:
        """The replays that the user may see."""
        replays = admin_pages.visible_replays(request.user)
        return replays.select_related("tenant", "actor").order_by("-id")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may start a replay may watch it."""
        return super().has_view_permission(request, obj) or request.user.has_perm(MAY_REPLAY)

    @display(description=_("reason"))
    def why(self, replay: Replay) -> str:
        """The reason that was given."""
        return str(replay)

    @display(description=_("status"), label={"running": "info", "finished": "success"})
    def state(self, replay: Replay) -> tuple[str, str]:
        """Running or finished."""
        return replay.status, replay.get_status_display()

    @display(description=_("by"), empty_value="–")
    def by(self, replay: Replay) -> Any:
        """Who started it."""
        return replay.actor

    @display(description=_("started"))
    def started(self, replay: Replay) -> Any:
        """When it was started."""
        return moment(replay.created_at)

    @display(description=_("finished"), empty_value="–")
    def finished(self, replay: Replay) -> Any:
        """When its last event had answered."""
        return moment(replay.finished_at) if replay.finished_at else None

    def get_urls(self) -> list[Any]:
        """Also the part of the page that refreshes itself."""
        view = ("<uuid:replay_id>/progress/", self.progress_view, "progress")
        return [*self.urls_before(view), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The replay, how far it has come, and its items."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        replay = self.found(request, object_id)
        context = admin_pages.replay_page(replay, request.user, request.GET.get("show", ""))  # type: ignore[arg-type]
        many = sees_many_tenants(request)
        return self.page(
            request, "page", title=str(replay), original=replay, many_tenants=many, **context
        )

    def progress_view(self, request: HttpRequest, replay_id: UUID) -> HttpResponse:
        """The bar; when the replay has finished, the browser is told to load the page anew."""
        replay = self.found(request, str(replay_id))
        context = admin_pages.replay_page(replay, request.user, "")  # type: ignore[arg-type]
        template = "admin/events/replay/progress.html"
        response = TemplateResponse(request, template, context)
        if not context["is_running"]:
            response["HX-Refresh"] = "true"
        return response


def moment(value: Any) -> Any:
    """A moment to the second in the reader's time zone, with the exact one in UTC on hover."""
    local = timezone.localtime(value)
    exact = value.astimezone(timezone.get_default_timezone()).isoformat()
    return format_html(
        '<time class="moment" datetime="{}" title="{}">{}</time>',
        exact,
        exact,
        local.strftime("%Y-%m-%d %H:%M:%S"),
    )
