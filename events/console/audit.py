"""The audit in the admin: who did what in the console, and why; nobody changes it."""

from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from events.audit import visible_lines
from events.console.moments import moment
from events.console.pages import InTime
from events.console.permissions import VIEW
from events.models import AuditLine
from salesflow.accounts.admin_scope import ReadOnly, TenantFilter, TenantScopedAdmin

# Kind of target → the name of its page, which takes its id.
PAGES = {
    "event": "admin:events_event_change",
    "replay": "admin:events_replay_change",
    "failuregroup": "admin:events_failure",
    "handler": "admin:events_handler",
    "alertrule": "admin:events_alertrule_change",
}
# What no person does.
BY_ITSELF = {"replay.stopped", "replay.finished", "give_up.finished"}
LONGEST_DETAIL = 300


@admin.register(AuditLine)
class AuditLineAdmin(InTime, ReadOnly, TenantScopedAdmin):
    """One line for each action, the newest first."""

    list_display = ["when", "by", "action", "target", "why", "tenant", "more"]
    list_display_links = None
    list_filter = [TenantFilter]
    # How they are searched is below.
    search_fields = ["action", "target_id"]
    search_help_text = _("An action such as replay.started, or the id of what it was done with")
    sortable_by = ()
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditLine]:
        """The lines that the user may see."""
        lines = visible_lines(request.user).select_related("tenant", "actor")
        return lines.order_by("-id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditLine], search_term: str
    ) -> tuple[QuerySet[AuditLine], bool]:
        """The lines of exactly that action or target: there are indexes for those."""
        term = search_term.strip()
        target = Q(target_type__in=list(PAGES), target_id=term)
        return (queryset.filter(Q(action=term) | target) if term else queryset), False

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may see events may see what was done with them."""
        return request.user.has_perm(VIEW)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see events may see what was done with them."""
        return request.user.has_perm(VIEW)

    @display(description=_("when"))
    def when(self, line: AuditLine) -> Any:
        """The time, in the reader's zone; on hover in UTC, as in the logs."""
        return moment(line.created_at)

    @display(description=_("by"))
    def by(self, line: AuditLine) -> Any:
        """Who did it."""
        if line.actor is None and line.action in BY_ITSELF:
            return _("the replay itself")
        return line.actor or _("an API key or a command")

    @display(description=_("what it was done with"))
    def target(self, line: AuditLine) -> Any:
        """The kind and id, linked to its page where it has one."""
        whole, url = line.target_id, url_of(line)
        # The beginning of an id tells it from its neighbours.
        name = whole[:40] if line.target_type == "handler" else Truncator(whole).chars(14)
        text = f"{line.target_type} {name}"
        link = '<a class="event-link" href="{}" title="{}">{}</a>'
        return format_html(link, url, whole, text) if url else text

    @display(description=_("reason"), empty_value="–")
    def why(self, line: AuditLine) -> Any:
        """In the person's own words."""
        return line.reason[:LONGEST_DETAIL] or None

    @display(description=_("details"), empty_value="–")
    def more(self, line: AuditLine) -> Any:
        """What else was written down."""
        told = [f"{name}: {_in_words(value)}" for name, value in line.details.items() if value]
        return "; ".join(told)[:LONGEST_DETAIL] or None


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(intcomma(value)) if is_number else str(value)


def url_of(line: AuditLine) -> str:
    """The page of what an action was done with; empty where it has none.

    A replay over several tenants has none for who reads of its part in one of them.
    """
    if line.part_of and line.target_type == "replay":
        return ""
    try:
        return reverse(PAGES[line.target_type], args=[line.target_id])
    except (KeyError, NoReverseMatch):
        return ""
