"""Admin pages of leads and pipelines; leads change through their services, which publish."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.template.defaultfilters import floatformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from leads import services
from leads.models import ContactPoint, Lead, Meeting, Note, Outcome, Pipeline, Stage, Task
from salesflow.accounts.admin_scope import (
    ChosenFilter,
    ReadOnly,
    TenantFilter,
    TenantScopedAdmin,
    TenantScopedInline,
    sees_many_tenants,
)
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Membership, User
from salesflow.accounts.queries import visible_rows

OUTCOME_COLOURS = {Outcome.OPEN: "info", Outcome.WON: "success", Outcome.LOST: "danger"}

# --- Pipelines ----------------------------------------------------------------------------------


class StageForm(forms.ModelForm[Stage]):
    """A stage; what kind it is decides how its leads stand, so that stays as it was made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding and "kind" in self.fields:
            self.fields["kind"].disabled = True


class StageInline(TenantScopedInline):
    """The steps of a pipeline."""

    model = Stage
    form = StageForm
    fields = ["position", "name", "probability", "kind"]
    ordering = ["position", "name"]


@admin.register(Pipeline)
class PipelineAdmin(TenantScopedAdmin):
    """Pipelines with their stages."""

    list_display = ["name", "tenant", "position", "is_default"]
    list_filter = [TenantFilter]
    list_select_related = ["tenant"]
    search_fields = ["name"]
    ordering = ["tenant", "position", "name"]
    fields = ["tenant", "name", "position", "is_default"]
    readonly_fields = ["is_default"]
    inlines = [StageInline]
    actions = ["make_default"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The pipeline that new leads enter stays."""
        return super().has_delete_permission(request, obj) and not (obj and obj.is_default)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Pipelines are deleted one at a time, since some must stay."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description=_("Make default"), permissions=["change"])
    def make_default(self, request: HttpRequest, queryset: models.QuerySet[Pipeline]) -> None:
        """Let new leads enter the selected pipelines, one a tenant."""
        for pipeline in queryset.select_related("tenant"):
            try:
                with tenant_context(pipeline.tenant):
                    services.make_default_pipeline(pipeline)
            except ValidationError as error:
                messages.error(request, "; ".join(error.messages))
            else:
                self.log_change(request, pipeline, gettext("made default"))
                text = gettext("New leads of %(tenant)s enter the pipeline “%(pipeline)s”.")
                names = {"tenant": pipeline.tenant, "pipeline": pipeline}
                messages.success(request, text % names)


# --- Leads --------------------------------------------------------------------------------------


class LeadForm(forms.ModelForm[Lead]):
    """An edit of a lead: what was changed goes through the services, which judge it."""

    instance: Lead

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "owner" in self.fields:
            members = Membership.unscoped.filter(tenant=self.instance.tenant)
            people = User.objects.filter(pk__in=members.values("user"))
            self.fields["owner"].queryset = people  # type: ignore[attr-defined]
            stages = Stage.unscoped.filter(tenant=self.instance.tenant).select_related("pipeline")
            order = ["pipeline__position", "pipeline__name", "position"]
            self.fields["stage"].queryset = stages.order_by(*order)  # type: ignore[attr-defined]
            self.fields["stage"].label_from_instance = (  # type: ignore[attr-defined]
                lambda stage: f"{stage.pipeline} › {stage}"
            )

    def _post_clean(self) -> None:
        """Rehearse the change, so that a service's complaint stands at its field."""
        if self.errors or not self.changed_data:
            return
        with transaction.atomic():
            try:
                self.apply()
            except ValidationError as error:
                self._show(error)
            transaction.set_rollback(True)

    def _show(self, error: ValidationError) -> None:
        for name, complaints in error.error_dict.items():
            self.add_error(name if name in self.fields else None, complaints)

    def apply(self) -> None:
        """Change the lead as the form says.

        Raises:
            ValidationError: field → messages.
        """
        given, changed = self.cleaned_data, set(self.changed_data)
        edits = {name: given[name] for name in changed - {"owner", "stage", "lost_reason"}}
        if "lost_reason" in changed and "stage" not in changed:
            raise ValidationError({"lost_reason": gettext("Give a reason when you lose the lead.")})
        with tenant_context(self.instance.tenant):
            if edits:
                services.edit_lead(self.instance, **edits)
            if "owner" in changed:
                services.assign_lead(self.instance, given["owner"])
            if "stage" in changed:
                reason = given["lost_reason"] if "lost_reason" in changed else ""
                services.move_lead(self.instance, given["stage"], lost_reason=reason)


class ContactPointInline(ReadOnly, TenantScopedInline):
    """Addresses and numbers; they are edited in the web pages."""

    model = ContactPoint
    fields = ["kind", "value", "is_primary"]


class NoteInline(TenantScopedInline):
    """Notes: read, and written anew; never changed."""

    model = Note
    fields = ["body", "author", "created_at"]
    readonly_fields = ["author", "created_at"]
    ordering = ["-created_at"]
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Note]:
        """With their authors."""
        return super().get_queryset(request).select_related("author")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False


class OutcomeFilter(ChosenFilter):
    """Open, won or lost."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """How a deal can stand."""
        return list(Outcome.choices)


@admin.register(Lead)
class LeadAdmin(TenantScopedAdmin):
    """Leads: found, corrected, deleted; new ones come in through the product."""

    form = LeadForm
    list_display = [
        "name",
        "company",
        "tenant",
        "stage_of",
        "standing",
        "owner",
        "amount",
        "changed",
    ]
    list_filter = [OutcomeFilter, TenantFilter]
    list_select_related = ["tenant", "owner", "stage__pipeline"]
    search_fields = ["name"]
    search_help_text = _("Name, company, e-mail address, phone number or external id")
    sortable_by = ()
    readonly_fields = [
        "events",
        "outcome",
        "custom_fields",
        "created_at",
        "closed_at",
        "updated_at",
    ]
    inlines = [ContactPointInline, NoteInline]
    formfield_overrides = {ArrayField: {"widget": UnfoldAdminTextInputWidget}}
    fieldsets = [
        (None, {"fields": ["tenant", "name", "company", "title", "events"]}),
        (_("Deal"), {"fields": ["owner", "stage", "lost_reason", "outcome", "value", "currency"]}),
        (_("Origin"), {"fields": ["source", "external_id", "tags", "custom_fields"]}),
        (_("Place"), {"fields": ["time_zone", "country"]}),
        (_("Dates"), {"fields": ["created_at", "closed_at", "updated_at"]}),
    ]

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """Last changed first within a tenant, the newest first across tenants."""
        across = sees_many_tenants(request) and not request.GET.get("tenant")
        return ["-id"] if across else ["-updated_at", "-id"]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Leads in which every word is part of a name, company, address or number."""
        leads = visible_rows(request.user, Lead).order_by()
        points = visible_rows(request.user, ContactPoint).order_by()
        for word in search_term.split():
            # A union lets each part use its own index; an OR across the join uses none.
            parts = [
                leads.filter(company__icontains=word).values("id"),
                leads.filter(external_id=word).values("id"),
                points.filter(value__icontains=word).values("lead_id"),
            ]
            named = leads.filter(name__icontains=word).values("id")
            queryset = queryset.filter(id__in=named.union(*parts, all=True))
        return queryset, False

    @display(description=_("stage"))
    def stage_of(self, lead: Lead) -> str:
        """Pipeline and stage."""
        return f"{lead.stage.pipeline} › {lead.stage}"

    @display(description=_("outcome"), label=OUTCOME_COLOURS)
    def standing(self, lead: Lead) -> tuple[str, str]:
        """Open, won or lost."""
        return lead.outcome, lead.get_outcome_display()

    @display(description=_("value"), empty_value="–")
    def amount(self, lead: Lead) -> str | None:
        """Value and currency."""
        if lead.value is None:
            return None
        return f"{floatformat(lead.value, '2g')} {lead.currency}"

    @display(description=_("changed"), empty_value="–")
    def changed(self, lead: Lead) -> Any:
        """The date of the last change."""
        return lead.updated_at

    @display(description=_("events"))
    def events(self, lead: Lead) -> Any:
        """A link to all that happened to it."""
        url = reverse("admin:events_event_changelist")
        return format_html('<a href="{}?subject={}">{}</a>', url, lead.pk, _("What happened to it"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody may here: leads come in through the web, the API, an import."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Change the lead through the services."""
        if form.changed_data:
            form.apply()

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Write new notes through their service."""
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        lead = formset.instance
        with tenant_context(lead.tenant):
            for note in formset.extra_forms:
                if note.has_changed():
                    body = note.cleaned_data["body"]
                    written = services.add_note(lead, body, author=request.user)  # type: ignore[arg-type]
                    formset.new_objects.append(written)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete through the service, which publishes."""
        with tenant_context(obj.tenant):
            services.delete_lead(obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Lead]) -> None:
        """Delete the selected leads, each through the service."""
        with transaction.atomic():
            for lead in queryset:
                self.delete_model(request, lead)


# --- Tasks and meetings -------------------------------------------------------------------------

TASK_COLOURS = {
    Task.State.OPEN: "info",
    Task.State.DONE: "success",
    Task.State.SKIPPED: "warning",
}


class SearchByLead:
    """Lists of what belongs to leads, searched by a row's id or its lead's."""

    search_fields = ["=id"]
    search_help_text = _("Its id or the lead's id")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """The row with exactly this id, or the rows of the lead with it."""
        term = search_term.strip()
        if not term:
            return queryset, False
        with suppress(ValueError):
            wanted = UUID(term)
            return queryset.filter(Q(id=wanted) | Q(lead_id=wanted)), False
        return queryset.none(), False


@admin.register(Task)
class TaskAdmin(SearchByLead, ReadOnly, TenantScopedAdmin):
    """Tasks: they are settled by the people who do them, in the web."""

    list_display = ["title", "tenant", "lead", "standing", "assignee", "due_at", "created_at"]
    list_filter = [TenantFilter]
    list_select_related = ["tenant", "lead", "assignee"]
    sortable_by = ()
    fieldsets = [
        (None, {"fields": ["tenant", "lead", "title", "kind", "body", "assignee"]}),
        (_("State"), {"fields": ["state", "reason", "settled_by"]}),
        (_("Origin"), {"fields": ["source", "source_id"]}),
        (_("Dates"), {"fields": ["created_at", "due_at", "settled_at"]}),
    ]

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """The last added first, by the index that is there for it."""
        across = sees_many_tenants(request) and not request.GET.get("tenant")
        return ["-id"] if across else ["-created_at", "-id"]

    @display(description=_("state"), label=TASK_COLOURS)
    def standing(self, task: Task) -> tuple[str, str]:
        """Open, done or skipped."""
        return task.state, task.get_state_display()


@admin.register(Meeting)
class MeetingAdmin(SearchByLead, ReadOnly, TenantScopedAdmin):
    """Meetings: they are booked in the web, over HTTP, and by what leads answer."""

    list_display = ["title", "tenant", "lead", "starts_at", "booked_by", "created_at"]
    list_filter = [TenantFilter]
    list_select_related = ["tenant", "lead", "booked_by"]
    sortable_by = ()
    ordering = ["-id"]
    fields = ["tenant", "lead", "title", "starts_at", "booked_by", "source", "external_id"]
    fields += ["created_at"]
