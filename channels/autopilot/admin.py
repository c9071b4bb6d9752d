"""Admin pages of what models were asked, drafted and proposed: they are read here, never edited.

Prompts hold what customers wrote: superusers and the tenant's own staff read them, as they read its
messages.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.decorators import display

from channels.autopilot.models import Draft, KnownSequence, Policy, Run, Suggestion
from salesflow.accounts.admin_scope import ReadOnly, TenantFilter, TenantScopedAdmin

STATE_COLOURS = {
    Draft.State.PENDING: "info",
    Draft.State.APPROVED: "success",
    Draft.State.SENT: "success",
    Draft.State.FAILED: "danger",
}


@admin.register(Run)
class RunAdmin(ReadOnly, TenantScopedAdmin):
    """Questions to models."""

    list_display = ["action", "tenant", "lead", "state", "outcome", "model", "cost", "created_at"]
    list_filter = [TenantFilter]
    list_select_related = ["tenant", "lead"]
    sortable_by = ()
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": ["tenant", "action", "key", "lead", "conversation", "asked_by"]}),
        (
            pgettext_lazy("of a step or run", "Outcome"),
            {"fields": ["state", "outcome", "error", "result", "report", "output"]},
        ),
        (_("Prompt"), {"fields": ["prompt_name", "prompt_version", "messages"]}),
        (
            _("Cost"),
            {
                "fields": [
                    "endpoint",
                    "model",
                    "prompt_tokens",
                    "cached_tokens",
                    "completion_tokens",
                    "is_estimated",
                    "prices",
                    "cost",
                    "first_token_ms",
                    "latency_ms",
                ]
            },
        ),
        (_("Dates"), {"fields": ["created_at", "started_at", "finished_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """With what a row's page names."""
        return super().get_queryset(request).select_related("tenant", "lead", "asked_by")


@admin.register(Draft)
class DraftAdmin(ReadOnly, TenantScopedAdmin):
    """Answers that models drafted."""

    list_display = ["lead", "tenant", "progress", "to_address", "decided_by", "created_at"]
    list_filter = [TenantFilter]
    list_select_related = ["tenant", "lead", "decided_by"]
    sortable_by = ()
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Draft]:
        """With what a row's page names."""
        return super().get_queryset(request).select_related("tenant", "lead", "decided_by")

    @display(description=_("state"), label=STATE_COLOURS)
    def progress(self, draft: Draft) -> tuple[str, str]:
        """How far it has come."""
        return draft.state, draft.get_state_display()


@admin.register(Suggestion)
class SuggestionAdmin(ReadOnly, TenantScopedAdmin):
    """Steps that models proposed."""

    list_display = ["lead", "tenant", "kind", "target", "state", "created_at"]
    list_filter = [TenantFilter]
    list_select_related = ["tenant", "lead"]
    sortable_by = ()
    ordering = ["-id"]


@admin.register(Policy)
class PolicyAdmin(ReadOnly, TenantScopedAdmin):
    """The rules of the autopilot."""

    list_display = [
        "tenant",
        "channel",
        "conversation",
        "mode",
        "ceiling",
        "changed_at",
        "changed_by",
    ]
    list_filter = [TenantFilter]
    list_select_related = ["tenant", "conversation", "changed_by"]
    sortable_by = ()
    ordering = ["-id"]


@admin.register(KnownSequence)
class KnownSequenceAdmin(ReadOnly, TenantScopedAdmin):
    """Sequences of which the autopilot was told: the active ones can be proposed."""

    list_display: Any = ["name", "tenant", "is_active"]
    list_filter = [TenantFilter]
    list_select_related = ["tenant"]
    sortable_by = ()
    ordering = ["-id"]
