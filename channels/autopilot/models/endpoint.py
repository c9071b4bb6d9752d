"""Where models are asked."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.encryption import EncryptedJSONField
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped


class Endpoint(TenantScoped):
    """A server that speaks OpenAI's chat completions, and the model that is asked there.

    `settings` is a `channels.autopilot.endpoints.Settings`, `prices` a `channels.autopilot.prices.
    Prices` that somebody has entered, or empty; `takes` a `channels.autopilot.completions.Takes`.
    One without a name and an address is the installation's own: address, model and key are then the
    settings' `AI_…`, and the row keeps what else a tenant's endpoint has.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=100, blank=True)
    base_url = models.CharField(
        _("address"),
        max_length=500,
        blank=True,
        help_text=_("Such as https://api.example.com/v1; empty: the installation's."),
    )
    model = models.CharField(_("model"), max_length=100, blank=True)
    secrets = EncryptedJSONField(_("secrets"), blank=True)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    prices = models.JSONField(
        _("prices"),
        default=dict,
        blank=True,
        help_text=_("US dollars per million tokens; empty: as the vendor publishes them."),
    )
    takes = models.JSONField(
        default=dict, blank=True, help_text=_("Which options it was found to take.")
    )
    is_active = models.BooleanField(_("active"), default=True)
    is_default = models.BooleanField(_("default"), default=False)
    stopped_at = models.DateTimeField(
        _("stopped"),
        null=True,
        blank=True,
        help_text=_("It refuses the key: nothing is asked before somebody looked at it."),
    )
    stopped_reason = models.TextField(_("why it was stopped"), blank=True)
    last_error = models.TextField(_("last error"), blank=True)
    last_error_at = models.DateTimeField(_("last error at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("model endpoint")
        verbose_name_plural = _("model endpoints")
        ordering = ["name"]
        constraints = [
            # Its index answers "the endpoints of this tenant".
            models.UniqueConstraint("tenant", Lower("name"), name="endpoint_name_once_per_tenant"),
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(is_default=True), name="endpoint_one_default"
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(is_active=True), name="endpoint_default_is_active"
            ),
        ]

    def __str__(self) -> str:
        return self.name or gettext("The installation’s")

    @property
    def is_of_installation(self) -> bool:
        """Whether it stands for the one that the installation has for all its tenants."""
        return not self.base_url
