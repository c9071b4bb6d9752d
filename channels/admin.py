"""Admin pages of messages, of the accounts that carry them, and of who may be written to: they are
read here, never edited."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from channels.consents import proof_in_words, source_in_words
from channels.models import (
    TROUBLED,
    Account,
    AddressStanding,
    Channel,
    ConsentRecord,
    Message,
    MessageStatus,
)
from events.console.audit import PAGES
from leads.admin import SearchByLead
from salesflow.accounts.admin_scope import ChosenFilter, ReadOnly, TenantFilter, TenantScopedAdmin

STATUS_COLOURS = {
    MessageStatus.QUEUED: "info",
    MessageStatus.UNKNOWN: "warning",
    MessageStatus.SENT: "success",
    MessageStatus.DELIVERED: "success",
    MessageStatus.READ: "success",
    MessageStatus.FAILED: "danger",
}

# What people did with accounts is in the audit, which leads here.
PAGES["account"] = "admin:channels_account_change"


class TroubleFilter(ChosenFilter):
    """What has not gone out: these statuses have an index."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The statuses of messages that somebody may have to look at."""
        return [(status, MessageStatus(status).label) for status in TROUBLED]


@admin.register(Message)
class MessageAdmin(SearchByLead, ReadOnly, TenantScopedAdmin):
    """Messages in both directions."""

    list_display = ["lead", "tenant", "channel", "direction", "state", "reason", "when"]
    list_filter = [TroubleFilter, TenantFilter]
    list_select_related = ["tenant", "lead"]
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
                    "withdrawn_at",
                    "opened_at",
                    "clicked_at",
                ]
            },
        ),
    ]
    readonly_fields = ["events"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """With what a row's page names."""
        return super().get_queryset(request).select_related("tenant", "lead", "author")

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


class ChannelFilter(ChosenFilter):
    """By channel."""

    title = _("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """All channels."""
        return list(Channel.choices)


class AddressSearch:
    """Lists that are searched by a whole address, for which there is an index."""

    search_fields = ["=address"]
    search_help_text = _("A whole address")

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """The rows of exactly this address."""
        term = search_term.strip()
        wanted = {"channel__in": Channel.values, "address": term}
        return (queryset.filter(**wanted) if term else queryset), False


@admin.register(Account)
class AccountAdmin(ReadOnly, TenantScopedAdmin):
    """Accounts without their secrets: those are in the database alone, and encrypted there."""

    list_display = ["name", "tenant", "channel", "transport", "address", "state", "last_error"]
    list_filter = [ChannelFilter, TenantFilter]
    list_select_related = ["tenant"]
    search_fields = ["name", "address"]
    sortable_by = ()
    ordering = ["tenant_id", "channel", "name", "id"]
    fieldsets = [
        (None, {"fields": ["tenant", "channel", "transport", "name", "address", "settings"]}),
        (_("Use"), {"fields": ["is_active", "is_default", "stopped_at", "stopped_reason"]}),
        (
            _("Dates"),
            {
                "fields": [
                    "created_at",
                    "last_sent_at",
                    "last_received_at",
                    "last_error_at",
                    "last_error",
                ]
            },
        ),
    ]

    @display(
        description=_("state"),
        label={"in use": "success", "stopped": "danger", "not in use": "info"},
    )
    def state(self, account: Account) -> tuple[str, Any]:
        """Whether it is used."""
        if not account.is_active:
            return "not in use", _("Not in use")
        return ("stopped", _("Stopped")) if account.stopped_at else ("in use", _("In use"))


@admin.register(ConsentRecord)
class ConsentRecordAdmin(AddressSearch, ReadOnly, TenantScopedAdmin):
    """What people allowed and forbade, with its proof, the last first."""

    list_display = ["address", "tenant", "channel", "decision", "why", "how", "actor", "created_at"]
    list_filter = [ChannelFilter, TenantFilter]
    list_select_related = ["tenant", "actor"]
    sortable_by = ()
    ordering = ["-id"]
    fields = ["tenant", "channel", "address", "lead", "decision", "basis", "how", "shown_by"]
    fields += ["actor", "created_at"]
    readonly_fields = ["how", "shown_by"]

    @display(description=_("lawful basis"), empty_value="–")
    def why(self, record: ConsentRecord) -> str | None:
        """Why they may be written to."""
        return record.get_basis_display() or None

    @display(description=_("how it became known"))
    def how(self, record: ConsentRecord) -> Any:
        """Its source in words."""
        return source_in_words(record.source)

    @display(description=_("proof"), empty_value="–")
    def shown_by(self, record: ConsentRecord) -> str | None:
        """What shows it."""
        return "; ".join(f"{name}: {value}" for name, value in proof_in_words(record)) or None


@admin.register(AddressStanding)
class AddressStandingAdmin(AddressSearch, ReadOnly, TenantScopedAdmin):
    """What is known of addresses: who opted out, and what does not arrive."""

    list_display = ["address", "tenant", "channel", "basis", "opted_out_at", "bounced_at"]
    list_filter = [ChannelFilter, TenantFilter]
    list_select_related = ["tenant"]
    sortable_by = ()
    ordering = ["-id"]
    fields = ["tenant", "channel", "address", "basis", "opted_out_at", "how", "bounced_at"]
    fields += ["bounce_reason", "soft_bounces"]
    readonly_fields = ["how"]

    @display(description=_("opted out by"), empty_value="–")
    def how(self, standing: AddressStanding) -> Any:
        """The source of the opt-out in words."""
        return source_in_words(standing.opt_out_source) or None
