"""Admin pages of sequences: what there is and who is in it; they are changed in the web pages."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from channels.sequences import models
from channels.sequences.models import Enrolment
from channels.sequences.words import standing_in_words
from events.console.audit import PAGES
from salesflow.accounts.admin_scope import (
    ChosenFilter,
    ReadOnly,
    TenantFilter,
    TenantScopedAdmin,
    TenantScopedInline,
    sees_many_tenants,
)

STATE_COLOURS = {
    models.Sequence.State.ACTIVE: "success",
    models.Sequence.State.PAUSED: "warning",
    models.Sequence.State.DRAFT: "info",
    models.Sequence.State.ARCHIVED: "info",
}
ENROLMENT_COLOURS = {
    Enrolment.State.ACTIVE: "success",
    Enrolment.State.PAUSED: "warning",
    Enrolment.State.FINISHED: "info",
}

# What people did with sequences is in the audit, which leads here.
PAGES["sequence"] = "admin:sequences_sequence_change"


class SequenceStateFilter(ChosenFilter):
    """By state."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """All states."""
        return list(models.Sequence.State.choices)


class VersionInline(ReadOnly, TenantScopedInline):
    """The versions of a sequence."""

    model = models.Version
    fk_name = "sequence"
    fields = ["number", "revision", "published_at", "published_by"]
    ordering = ["-number"]
    per_page = 20


@admin.register(models.Sequence)
class SequenceAdmin(ReadOnly, TenantScopedAdmin):
    """Sequences with their versions."""

    list_display = ["name", "tenant", "standing", "owner", "changed_at"]
    list_filter = [SequenceStateFilter, TenantFilter]
    list_select_related = ["tenant", "owner"]
    search_fields = ["name"]
    sortable_by = ()
    ordering = ["tenant_id", "state", "name", "id"]
    fields = ["tenant", "name", "state", "owner", "published", "created_at", "changed_at"]
    inlines = [VersionInline]

    @display(description=_("state"), label=STATE_COLOURS)
    def standing(self, sequence: models.Sequence) -> tuple[str, str]:
        """Whether it is in use."""
        return sequence.state, sequence.get_state_display()


@admin.register(Enrolment)
class EnrolmentAdmin(ReadOnly, TenantScopedAdmin):
    """Who is or was in which sequence, and what they wait for."""

    list_display = ["lead", "tenant", "sequence", "standing", "why", "next_step_at", "enrolled_at"]
    list_filter = [TenantFilter]
    list_select_related = ["tenant", "lead", "sequence"]
    search_fields = ["=id"]
    search_help_text = _("Id of an enrolment, of a lead or of a sequence")
    sortable_by = ()
    fieldsets = [
        (None, {"fields": ["tenant", "lead", "sequence", "version", "sender", "account"]}),
        (
            _("Where it is"),
            {
                "fields": [
                    *("state", "reason", "step", "since", "next_step_at", "place_at"),
                    *("waiting_for", "waiting_id", "delay", "says", "obstacle", "obstacle_names"),
                    *("resume_at", "remaining", "time_zone", "zone_source"),
                ]
            },
        ),
        (
            _("How it came and went"),
            {
                "fields": [
                    *("source", "rule", "round", "enrolled_by", "enrolled_at"),
                    *("steps_done", "last_step_at", "finished_at"),
                ]
            },
        ),
    ]

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """The last who came in first within a tenant, the newest first across tenants."""
        across = sees_many_tenants(request) and not request.GET.get("tenant")
        return ["-id"] if across else ["-enrolled_at", "-id"]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Those with exactly this id, of this lead or in this sequence."""
        term = search_term.strip()
        if not term:
            return queryset, False
        with suppress(ValueError):
            wanted = UUID(term)
            found = Q(id=wanted) | Q(lead_id=wanted) | Q(sequence_id=wanted)
            return queryset.filter(found), False
        return queryset.none(), False

    @display(description=_("state"), label=ENROLMENT_COLOURS)
    def standing(self, row: Enrolment) -> tuple[str, str]:
        """Whether it is under way."""
        return row.state, row.get_state_display()

    @display(description=_("because"), empty_value="–")
    def why(self, row: Enrolment) -> str | None:
        """What it waits for, or why it has ended."""
        return standing_in_words(row) or None
