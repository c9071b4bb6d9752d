"""How many messages go on a day, and where the places of a day end; see `sequences.spreading`."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.models import TenantScoped


class DayQuota(TenantScoped):
    """How many messages were sent on a day, and places given for it, by a sender or an account."""

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(
        _("whose"), max_length=100, help_text=_("“account:…” or “sender:…” with its id.")
    )
    day = models.DateField(_("day"), help_text=_("In the tenant's time zone."))
    used = models.PositiveIntegerField(_("used"), default=0)
    # Of an account: when they go, for the gap between two of them. Nobody reads it but the engine.
    moments = ArrayField(models.DateTimeField(), default=list, db_default=[], blank=True)

    class Meta:
        verbose_name = _("messages of a day")
        verbose_name_plural = _("messages of a day")
        constraints = [
            # Its index answers "how many of theirs go from that day on".
            models.UniqueConstraint(fields=["tenant", "key", "day"], name="quota_once_a_day"),
        ]
        indexes = [
            # Days that are over are deleted by age.
            models.Index(fields=["day"], name="quota_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.key} on {self.day}: {self.used}"


class PlaceLine(TenantScoped):
    """The places of one day of an account, for contacts whose day begins at the same moment."""

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(_("whose"), max_length=100)
    opens_at = models.DateTimeField(_("day begins at"))
    next_at = models.DateTimeField(_("next place"))
    free = ArrayField(
        models.DateTimeField(), verbose_name=_("places that came back"), default=list, blank=True
    )

    class Meta:
        verbose_name = _("line of places")
        verbose_name_plural = _("lines of places")
        constraints = [
            # Its index answers "which lines does this account have from then on".
            models.UniqueConstraint(fields=["tenant", "key", "opens_at"], name="place_line_once"),
        ]
        indexes = [
            # Lines of days that are over are deleted by age.
            models.Index(fields=["opens_at"], name="place_line_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.key} from {self.opens_at}"
