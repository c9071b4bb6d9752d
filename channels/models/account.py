"""The accounts through which a tenant sends and receives."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from leads.models import ContactPoint
from salesflow.accounts.encryption import EncryptedJSONField
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped


class Channel(models.TextChoices):
    """A way to reach a lead."""

    EMAIL = "email", _("E-mail")
    WHATSAPP = "whatsapp", _("WhatsApp")
    LINKEDIN = "linkedin", _("LinkedIn")

    @property
    def contact_kind(self) -> ContactPoint.Kind:
        """The kind of contact point that is an address on this channel."""
        return CONTACT_KINDS[self]


CONTACT_KINDS = {
    Channel.EMAIL: ContactPoint.Kind.EMAIL,
    Channel.WHATSAPP: ContactPoint.Kind.PHONE,
    Channel.LINKEDIN: ContactPoint.Kind.LINKEDIN,
}


class Account(TenantScoped):
    """A mailbox, a WhatsApp number, a LinkedIn profile: what messages go out from and come in to.

    `settings` and `secrets` are the transport's, see `channels.transports.Transport.settings`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.CharField(_("channel"), max_length=20, choices=Channel.choices)
    transport = models.CharField(_("transport"), max_length=50)
    name = models.CharField(_("name"), max_length=100)
    address = models.CharField(
        _("address"),
        max_length=254,
        blank=True,
        help_text=_("What the other side sees: an e-mail address, a number in E.164."),
    )
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    secrets = EncryptedJSONField(_("secrets"), blank=True)
    state = models.JSONField(
        default=dict,
        blank=True,
        help_text=_("What the transport remembers, such as how far a mailbox was read."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("New conversations on this channel begin here.")
    )
    stopped_at = models.DateTimeField(
        _("stopped"),
        null=True,
        blank=True,
        help_text=_(
            "The vendor refuses the account: nothing is sent before somebody looked at it."
        ),
    )
    stopped_reason = models.TextField(_("why it was stopped"), blank=True)
    last_sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    last_received_at = models.DateTimeField(_("last received"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True)
    last_error_at = models.DateTimeField(_("last error at"), null=True, blank=True)
    created_at = models.DateTimeField(_("connected"), db_default=Now())

    class Meta:
        verbose_name = _("channel account")
        verbose_name_plural = _("channel accounts")
        ordering = ["channel", "name"]
        constraints = [
            # Its index answers "through which account does a new conversation go".
            models.UniqueConstraint(
                fields=["tenant", "channel"],
                condition=Q(is_default=True),
                name="account_one_default_per_channel",
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(is_active=True), name="account_default_is_active"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.address})" if self.address else self.name


class Pace(models.Model):
    """When the next call may go that shares a limit, such as those of one account."""

    key = models.CharField(max_length=320, primary_key=True)
    next_at = models.DateTimeField()

    objects = models.Manager()

    class Meta:
        db_table = "channels_pace"
        indexes = [
            # Those that no call waits for any more are deleted by age.
            models.Index(fields=["next_at"], name="pace_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.next_at}"
