"""Texts with variables: templates that a vendor has approved, and canned replies."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels.models.account import Channel
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import LANGUAGES, TenantScoped


class MessageTemplate(TenantScoped):
    """A text that is filled in for a lead: `{{ first_name }}`, `{{ company|your company }}`.

    One name may be there in several languages.
    """

    class VendorStatus(models.TextChoices):
        NONE = "", _("needs no approval")
        PENDING = "pending", _("waits for approval")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")
        PAUSED = "paused", _("paused by the vendor")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=100)
    shortcut = models.CharField(
        _("shortcut"),
        max_length=30,
        blank=True,
        help_text=_("Typed behind a slash in the composer, it puts the text in."),
    )
    channel = models.CharField(
        _("channel"),
        max_length=20,
        choices=Channel.choices,
        blank=True,
        help_text=_("Empty: every channel."),
    )
    language = models.CharField(_("language"), max_length=5, choices=LANGUAGES)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    vendor_name = models.CharField(
        _("vendor's name"),
        max_length=512,
        blank=True,
        help_text=_("WhatsApp: the template as it was approved; its variables are numbered."),
    )
    vendor_language = models.CharField(_("vendor's language code"), max_length=15, blank=True)
    vendor_status = models.CharField(
        _("approval"),
        max_length=10,
        choices=VendorStatus.choices,
        blank=True,
        default=VendorStatus.NONE,
    )
    is_active = models.BooleanField(_("active"), default=True)
    updated_at = models.DateTimeField(_("last changed"), auto_now=True)

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ["name", "language"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name", "channel", "language"], name="template_once_per_language"
            ),
            # Its index answers "which text does this shortcut put in".
            models.UniqueConstraint(
                fields=["tenant", "shortcut", "channel", "language"],
                condition=~Q(shortcut=""),
                name="template_shortcut_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def approval_tone(self) -> str:
        """How good the vendor's decision is: good, warn or bad."""
        tones = {self.VendorStatus.APPROVED: "good", self.VendorStatus.PENDING: "warn"}
        return tones.get(self.VendorStatus(self.vendor_status), "bad")
