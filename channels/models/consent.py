"""Whom we may write to: a record that is only ever added to, and what follows from it.

Both are kept by address, not by lead: a second lead with the address, or one that is imported
again, is covered too.
"""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from channels.models.account import Channel
from leads.models import Lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped, User


class LawfulBasis(models.TextChoices):
    """Why we may write to somebody. Source: GDPR, article 6 (1) a, b, f."""

    CONSENT = "consent", _("Consent")
    CONTRACT = "contract", _("Contract, or steps before one")
    LEGITIMATE_INTEREST = "legitimate_interest", _("Legitimate interest")


class ConsentRecord(TenantScoped):
    """That a person allowed to be written to, or forbade it; never changed, never deleted."""

    class Decision(models.TextChoices):
        GRANTED = "granted", _("allowed")
        WITHDRAWN = "withdrawn", _("opted out")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.CharField(_("channel"), max_length=20, choices=Channel.choices)
    address = models.CharField(_("address"), max_length=254)
    lead = models.ForeignKey(
        Lead,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="consents",
        verbose_name=_("lead"),
    )
    decision = models.CharField(_("decision"), max_length=10, choices=Decision.choices)
    basis = models.CharField(
        _("lawful basis"), max_length=20, choices=LawfulBasis.choices, blank=True
    )
    source = models.CharField(
        _("source"),
        max_length=50,
        help_text=_("Such as keyword, unsubscribe_link, whatsapp_preference, manual, import."),
    )
    proof = models.JSONField(
        _("proof"), default=dict, help_text=_("What shows it: a message's id, the words, a form.")
    )
    actor = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("recorded by"),
    )
    said_at = models.DateTimeField(
        _("said"), null=True, blank=True, help_text=_("When they said so.")
    )
    created_at = models.DateTimeField(_("recorded"), db_default=Now())

    class Meta:
        verbose_name = _("consent record")
        verbose_name_plural = _("consent records")
        indexes = [
            # What was recorded of an address, the last first.
            models.Index(fields=["tenant", "channel", "address", "-id"], name="consent_by_address"),
            # The admin's list of one tenant's records, the last first.
            models.Index(fields=["tenant", "-id"], name="consent_by_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.address}: {self.decision}"


class AddressStanding(TenantScoped):
    """What is known of an address on a channel: whether it may, and can, be written to."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.CharField(_("channel"), max_length=20, choices=Channel.choices)
    address = models.CharField(_("address"), max_length=254)
    basis = models.CharField(
        _("lawful basis"), max_length=20, choices=LawfulBasis.choices, blank=True
    )
    allowed_at = models.DateTimeField(
        _("allowed"), null=True, blank=True, help_text=_("When they allowed it last.")
    )
    opted_out_at = models.DateTimeField(_("opted out"), null=True, blank=True)
    opt_out_source = models.CharField(_("opted out by"), max_length=50, blank=True)
    bounced_at = models.DateTimeField(_("bounced"), null=True, blank=True)
    bounce_reason = models.TextField(_("why it bounced"), blank=True)
    soft_bounces = models.PositiveSmallIntegerField(_("soft bounces in a row"), default=0)

    class Meta:
        verbose_name = _("address standing")
        verbose_name_plural = _("address standings")
        constraints = [
            # Its index answers "may we write to this address".
            models.UniqueConstraint(
                fields=["tenant", "channel", "address"], name="address_standing_once"
            ),
        ]
        indexes = [
            # The admin's list of one tenant's addresses, the newest first.
            models.Index(fields=["tenant", "-id"], name="standing_by_tenant"),
        ]

    def __str__(self) -> str:
        return self.address
