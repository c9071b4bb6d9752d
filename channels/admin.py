"""Admin page of messages: what became of each, and why; they are read here, never edited."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from channels.models import TROUBLED, Message, MessageStatus
from salesflow.accounts.admin_scope import ChosenFilter, ReadOnly, TenantFilter, TenantScopedAdmin

STATUS_COLOURS = {
    MessageStatus.QUEUED: "info",
    MessageStatus.UNKNOWN: "warning",
    MessageStatus.SENT: "success",
    MessageStatus.DELIVERED: "success",
    MessageStatus.READ: "success",
    MessageStatus.FAILED: "danger",
}


class TroubleFilter(ChosenFilter):
    """What has not gone out: these statuses have an index."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The statuses of messages that somebody may have to look at."""
        return [(status, MessageStatus(status).label) for status in TROUBLED]


@admin.register(Message)
class MessageAdmin(ReadOnly, TenantScopedAdmin):
    """Messages in both directions."""

    list_display = ["lead", "tenant", "channel", "direction", "state", "reason", "when"]
    list_filter = [TroubleFilter, TenantFilter]
    list_select_related = ["tenant", "lead"]
    search_fields = ["=id"]
    search_help_text = _("Message id or lead id")
    sortable_by = ()
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": ["tenant", "lead", "events", "channel", "direction", "type", "author"]}),
        (_("Text"), {"fields": ["address", "subject", "body"]}),
        (_("Delivery"), {"fields": ["status", "error", "attempts", "transport", "vendor_id"]}),
        (
            _("Dates"),
            {
                "fields": [
                    "created_at",
                    "sending_since",
                    "sent_at",
                    "latency_ms",
                    "delivered_at",
                    "read_at",
                    "failed_at",
                ]
            },
        ),
    ]
    readonly_fields = ["events"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """With what a row's page names."""
        return super().get_queryset(request).select_related("tenant", "lead", "author")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """The message with exactly this id, or the messages of the lead with it."""
        term = search_term.strip()
        if not term:
            return queryset, False
        with suppress(ValueError):
            wanted = UUID(term)
            return queryset.filter(Q(id=wanted) | Q(lead_id=wanted)), False
        return queryset.none(), False

    @display(description=_("status"), label=STATUS_COLOURS)
    def state(self, message: Message) -> tuple[str, str]:
        """How far it has come."""
        return message.status, message.get_status_display()

    @display(description=_("reason"), empty_value="–")
    def reason(self, message: Message) -> str | None:
        """Why the last try did not succeed."""
        return message.error or None

    @display(description=_("queued or received"))
    def when(self, message: Message) -> Any:
        """Its place in the thread."""
        return message.created_at

    @display(description=_("events"))
    def events(self, message: Message) -> Any:
        """A link to what happened to its lead, where a failed one can be replayed."""
        url = reverse("admin:events_event_changelist")
        return format_html(
            '<a href="{}?subject={}">{}</a>', url, message.lead_id, _("What happened to its lead")
        )
