"""When contacts may be written to."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped


class WorkCalendar(TenantScoped):
    """Hours of the week, holidays and closed days; `sequences.calendars.read_calendar` reads it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=100)
    hours = models.JSONField(
        _("hours"), help_text=_("By day of the week: the hours in the contact's time zone.")
    )
    country = models.CharField(
        _("country"),
        max_length=2,
        blank=True,
        help_text=_("Whose public holidays are kept where a contact's country is not known."),
    )
    subdivision = models.CharField(_("part of the country"), max_length=10, blank=True)
    closed = ArrayField(models.DateField(), verbose_name=_("closed days"), default=list, blank=True)
    yearly = ArrayField(
        models.CharField(max_length=5),
        verbose_name=_("closed days of every year"),
        default=list,
        blank=True,
    )
    is_default = models.BooleanField(_("default"), default=False)

    class Meta:
        verbose_name = _("calendar")
        verbose_name_plural = _("calendars")
        ordering = ["name"]
        constraints = [
            # Its index answers "the calendars of this tenant".
            models.UniqueConstraint("tenant", Lower("name"), name="calendar_name_once_per_tenant"),
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(is_default=True), name="calendar_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name
