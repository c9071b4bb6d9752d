"""Who might buy, how to reach them, and how far they have come."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events import Publisher, publishes
from leads.models.pipeline import Outcome, Stage
from leads.payloads import (
    EDITED_FIELDS,
    LeadAssigned,
    LeadCreated,
    LeadLost,
    LeadStageChanged,
    LeadUpdated,
    LeadWon,
)
from leads.places import validate_country, validate_time_zone
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped, User

# What leads are sorted by: an unknown value counts as less than nothing.
LEAD_VALUE = Coalesce(F("value"), Decimal(-1), output_field=models.DecimalField())


@publishes(LeadCreated, on="create", occurred="created_at")
@publishes(LeadUpdated, on="change", fields=EDITED_FIELDS)
@publishes(LeadStageChanged, on="change", fields=["stage"], occurred="stage_entered_at")
@publishes(LeadAssigned, on="change", fields=["owner"])
@publishes(
    LeadWon,
    on=("create", "change"),
    fields=["outcome"],
    when=lambda lead: lead.outcome == Outcome.WON,
    occurred="closed_at",
)
@publishes(
    LeadLost,
    on=("create", "change"),
    fields=["outcome"],
    when=lambda lead: lead.outcome == Outcome.LOST,
    occurred="closed_at",
)
class Lead(Publisher):
    """A person or company that might buy, and the deal with them.

    `outcome` follows the stage's kind; the services keep the two together. `created_at`,
    `stage_entered_at` and `closed_at` are business dates: an import sets them to what they were.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=200)
    company = models.CharField(_("company"), max_length=200, blank=True)
    title = models.CharField(_("job title"), max_length=200, blank=True)
    owner = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
    )
    source = models.CharField(_("source"), max_length=50, default="manual")
    value = models.DecimalField(
        _("value"),
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    currency = models.CharField(_("currency"), max_length=3, default="USD")
    tags = ArrayField(
        models.CharField(max_length=50), verbose_name=_("tags"), default=list, blank=True
    )
    custom_fields = models.JSONField(_("custom fields"), default=dict, blank=True)
    external_id = models.CharField(_("external id"), max_length=200, blank=True)
    # The database's defaults are for programs of the version before, which know no such fields.
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        db_default="",
        validators=[validate_time_zone],
        help_text=_("Such as Europe/Berlin. Empty: as the country or the phone number tells."),
    )
    country = models.CharField(
        _("country"),
        max_length=2,
        blank=True,
        default="",
        db_default="",
        validators=[validate_country],
        help_text=_("Two letters, such as DE: whose holidays they keep."),
    )
    stage = models.ForeignKey(
        Stage,
        on_delete=models.PROTECT,
        related_name="leads",
        # The index lead_by_stage serves it.
        db_index=False,
        verbose_name=_("stage"),
    )
    outcome = models.CharField(
        _("outcome"), max_length=4, choices=Outcome.choices, default=Outcome.OPEN
    )
    lost_reason = models.CharField(_("reason for the loss"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    stage_entered_at = models.DateTimeField(_("in stage since"), default=timezone.now)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    updated_at = models.DateTimeField(_("last changed"), auto_now=True)

    class Meta:
        verbose_name = _("lead")
        verbose_name_plural = _("leads")
        constraints = [
            # Its index answers "the lead with this external id" (import, integrations).
            models.UniqueConstraint(
                fields=["tenant", "external_id"],
                condition=~Q(external_id=""),
                name="lead_external_id_once_per_tenant",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="lead_has_a_name"),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__gte=0), name="lead_value_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="lead_currency_is_iso_4217"
            ),
            models.CheckConstraint(
                condition=Q(outcome=Outcome.OPEN, closed_at__isnull=True, lost_reason="")
                | Q(outcome=Outcome.WON, closed_at__isnull=False, lost_reason="")
                | Q(outcome=Outcome.LOST, closed_at__isnull=False),
                name="lead_closed_as_its_outcome_says",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("created_at")),
                name="lead_closed_after_it_came_in",
            ),
        ]
        indexes = [
            # The lead list as it opens: one tenant, last changed first.
            models.Index(fields=["tenant", "-updated_at", "-id"], name="lead_by_change"),
            # The lead list filtered by open, won or lost.
            models.Index(
                fields=["tenant", "outcome", "-updated_at", "-id"], name="lead_by_outcome"
            ),
            # The lead list filtered by stage, and the board's columns.
            models.Index(fields=["stage", "-updated_at", "-id"], name="lead_by_stage"),
            # "My leads".
            models.Index(fields=["tenant", "owner", "-updated_at", "-id"], name="lead_by_owner"),
            # The lead list sorted by age, by name, by company, by value.
            models.Index(fields=["tenant", "-created_at", "-id"], name="lead_by_age"),
            models.Index(fields=["tenant", "name", "id"], name="lead_by_name"),
            models.Index(fields=["tenant", "company", "id"], name="lead_by_company"),
            models.Index("tenant", LEAD_VALUE.desc(), F("id").desc(), name="lead_by_value"),
            # The lead list filtered by source, and the list of all sources (queries.lead_sources).
            models.Index(fields=["tenant", "source", "-updated_at", "-id"], name="lead_by_source"),
            # Search: a part of the name or of the company (queries.search_leads).
            GinIndex(
                F("tenant"),
                OpClass(Upper("name"), name="gin_trgm_ops"),
                OpClass(Upper("company"), name="gin_trgm_ops"),
                name="lead_search",
            ),
            # The lead list filtered by tag.
            GinIndex(fields=["tenant", "tags"], name="lead_by_tag"),
        ]

    # Kind of contact point → values, once `leads.queries.read_contact_values` has read them.
    values_read: dict[str, list[str]] | None = None

    def __str__(self) -> str:
        return self.name

    def enter_stage(self, stage: Stage, *, at: datetime, lost_reason: str = "") -> None:
        """Put the lead into `stage` and let the outcome follow; the caller saves.

        Args:
            stage: a stage of the lead's tenant.
            at: when it entered; a deal that was closed before stays closed since then.
            lost_reason: why it was lost; kept only by a stage of kind lost.
        """
        closed_before = self.closed_at if self.outcome == stage.kind else None
        self.stage = stage
        self.outcome = stage.kind
        self.stage_entered_at = at
        self.closed_at = None if stage.kind == Outcome.OPEN else closed_before or at
        self.lost_reason = lost_reason if stage.kind == Outcome.LOST else ""

    @property
    def is_open(self) -> bool:
        """Whether the deal can still be won."""
        return self.outcome == Outcome.OPEN

    @property
    def emails(self) -> list[str]:
        """The addresses, the primary one first."""
        return self.values_of(ContactPoint.Kind.EMAIL)

    @property
    def phones(self) -> list[str]:
        """The numbers in E.164, the primary one first."""
        return self.values_of(ContactPoint.Kind.PHONE)

    @property
    def profiles(self) -> list[str]:
        """The addresses of LinkedIn profiles, the primary one first."""
        return self.values_of(ContactPoint.Kind.LINKEDIN)

    def values_of(self, kind: str) -> list[str]:
        """What reaches them by a kind of contact point, the primary one first."""
        if self.values_read is not None:
            return self.values_read.get(kind, [])
        points = sorted(self.contact_points.all(), key=lambda point: not point.is_primary)
        return [point.value for point in points if point.kind == kind]


class ContactPoint(TenantScoped):
    """An e-mail address or phone number; it leads to one lead of the tenant."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("e-mail address")
        PHONE = "phone", _("phone number")
        LINKEDIN = "linkedin", _("LinkedIn profile")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = models.ForeignKey(
        Lead, on_delete=models.CASCADE, related_name="contact_points", verbose_name=_("lead")
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    value = models.CharField(
        _("value"), max_length=254, help_text=_("E-mail in lower case, phone in E.164.")
    )
    is_primary = models.BooleanField(_("primary"), default=False)

    class Meta:
        verbose_name = _("contact point")
        verbose_name_plural = _("contact points")
        ordering = ["-is_primary", "id"]
        constraints = [
            # Its index answers "whose address or number is this" (inbound messages, import).
            models.UniqueConstraint(
                fields=["tenant", "kind", "value"], name="contact_point_once_per_tenant"
            ),
            models.UniqueConstraint(
                fields=["lead", "kind"],
                condition=Q(is_primary=True),
                name="contact_point_one_primary_per_kind",
            ),
        ]
        indexes = [
            # Search: a part of an address or number (queries.search_leads).
            GinIndex(
                F("tenant"),
                OpClass(Upper("value"), name="gin_trgm_ops"),
                name="contact_point_search",
            ),
        ]

    def __str__(self) -> str:
        return self.value
