"""The list of replays in the admin: who replayed what, when, why, and what came of it."""

from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from events.console.moments import moment
from events.console.pages import InTime, in_time
from events.console.permissions import VIEW
from events.console.replays import replay_view
from events.models import Replay
from events.replays.progress import visible_replays
from salesflow.accounts.admin_scope import ChosenFilter, ReadOnly, TenantFilter, TenantScopedAdmin

COLOURS = {
    "planning": "default",
    "planned": "default",
    "running": "info",
    "paused": "warning",
    "stopped": "danger",
    "cancelled": "default",
    "finished": "success",
}


class ReplayStatusFilter(ChosenFilter):
    """By status."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """A replay's statuses."""
        return list(Replay.Status.choices)


@admin.register(Replay)
class ReplayAdmin(InTime, ReadOnly, TenantScopedAdmin):
    """Who replayed what, when, why, and what came of it."""

    list_display = [
        "why",
        "what",
        "state",
        "selected",
        "came_of_it",
        "by",
        "tenant",
        "made",
        "ended",
    ]
    list_display_links = ["why"]
    list_filter = [ReplayStatusFilter, TenantFilter]
    ordering = ["-id"]
    sortable_by = ()
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Replay]:
        """The replays that the user may see."""
        rows = visible_replays(request.user).select_related("tenant", "actor")
        return rows.order_by("-id")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may see events may see their replays."""
        return request.user.has_perm(VIEW)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see events may see their replays."""
        return request.user.has_perm(VIEW)

    @display(description=gettext_lazy("reason"))
    def why(self, replay: Replay) -> str:
        """The reason that was given, or that there is none yet."""
        return replay.reason or _("(not started)")

    @display(description=gettext_lazy("kind"))
    def what(self, replay: Replay) -> str:
        """Whether something runs again, as it is or corrected, or is given up."""
        return str(replay.get_kind_display())

    @display(description=gettext_lazy("status"), label=COLOURS)
    def state(self, replay: Replay) -> tuple[str, str]:
        """Where it stands."""
        return replay.status, replay.get_status_display()

    @display(description=gettext_lazy("succeeded, failed, skipped"))
    def came_of_it(self, replay: Replay) -> str:
        """The numbers so far."""
        return " · ".join(map(intcomma, (replay.succeeded, replay.failed, replay.skipped)))

    @display(description=gettext_lazy("by"), empty_value="–")
    def by(self, replay: Replay) -> Any:
        """Who planned it, or started it."""
        return replay.actor

    @display(description=gettext_lazy("planned"))
    def made(self, replay: Replay) -> Any:
        """When it was planned."""
        return moment(replay.created_at)

    @display(description=gettext_lazy("ended"), empty_value="–")
    def ended(self, replay: Replay) -> Any:
        """When it ended."""
        return moment(replay.finished_at) if replay.finished_at else None

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A plan, or a replay that was started."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        response: Any = in_time(replay_view)(request, object_id)
        return response  # type: ignore[no-any-return]
