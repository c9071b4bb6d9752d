"""When people meet a lead."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events import Publisher, publishes
from leads.models.lead import Lead
from leads.payloads import MeetingBooked
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import User


@publishes(MeetingBooked, on="create", occurred="created_at")
class Meeting(Publisher):
    """A meeting with a lead, whoever has booked it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = models.ForeignKey(
        Lead,
        on_delete=models.CASCADE,
        # The index meeting_of_lead serves it.
        db_index=False,
        related_name="meetings",
        verbose_name=_("lead"),
    )
    title = models.CharField(_("title"), max_length=200)
    starts_at = models.DateTimeField(_("begins"))
    booked_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("booked by"),
        help_text=_("Empty: the lead, or a program."),
    )
    source = models.CharField(
        _("source"),
        max_length=50,
        blank=True,
        help_text=_("Which program told of it; empty: a person."),
    )
    external_id = models.CharField(
        _("external id"),
        max_length=200,
        blank=True,
        help_text=_("What that program calls it: what is told twice is kept once."),
    )
    created_at = models.DateTimeField(_("booked"), default=timezone.now)

    class Meta:
        verbose_name = _("meeting")
        verbose_name_plural = _("meetings")
        constraints = [
            # Its index answers "is this meeting known"; one may be with several leads.
            models.UniqueConstraint(
                fields=["lead", "source", "external_id"],
                condition=~Q(external_id=""),
                name="meeting_once_per_source",
            ),
            models.CheckConstraint(condition=~Q(title=""), name="meeting_says_something"),
        ]
        indexes = [
            # The meetings on a lead's page, the last first.
            models.Index(fields=["lead", "-starts_at", "-id"], name="meeting_of_lead"),
            # The admin's list of one tenant's meetings, the last booked first.
            models.Index(fields=["tenant", "-id"], name="meeting_by_tenant"),
        ]

    def __str__(self) -> str:
        return self.title
