"""What a mail tells of itself once it is there: that it was opened, which links were followed."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels.models.message import Message
from salesflow.accounts.models import TenantScoped


class TrackedLink(TenantScoped):
    """A link of a mail: an address of ours that names its number leads there and nowhere else."""

    id = models.BigAutoField(primary_key=True)
    message = models.ForeignKey(
        Message,
        on_delete=models.CASCADE,
        # The constraint's index serves it.
        db_index=False,
        related_name="tracked_links",
        verbose_name=_("message"),
    )
    number = models.PositiveSmallIntegerField(_("number"))
    url = models.TextField(_("address"))

    class Meta:
        verbose_name = _("tracked link")
        verbose_name_plural = _("tracked links")
        constraints = [
            # Its index answers "where does this link of that mail lead".
            models.UniqueConstraint(fields=["message", "number"], name="tracked_link_once"),
        ]

    def __str__(self) -> str:
        return self.url


class TrackingHit(TenantScoped):
    """That a mail's image or one of its links was asked for, by a person or by a program.

    Nothing that tells one person from their neighbours is kept: of the network the first part, of
    the program its family.
    """

    class Kind(models.TextChoices):
        OPENED = "opened", _("opened")
        CLICKED = "clicked", _("clicked")

    id = models.BigAutoField(primary_key=True)
    message = models.ForeignKey(
        Message,
        on_delete=models.CASCADE,
        # The index hit_of_message serves it.
        db_index=False,
        related_name="tracking_hits",
        verbose_name=_("message"),
    )
    link = models.ForeignKey(
        TrackedLink,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("link"),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    at = models.DateTimeField(_("at"))
    agent = models.CharField(_("program"), max_length=30, blank=True)
    network = models.CharField(
        _("network"), max_length=50, blank=True, help_text=_("A /24 of IPv4, a /48 of IPv6.")
    )
    reasons = ArrayField(
        models.CharField(max_length=20),
        verbose_name=_("why it was a machine"),
        default=list,
        blank=True,
    )
    is_machine = models.BooleanField(_("by a machine"), default=False)
    judged_at = models.DateTimeField(
        _("judged"),
        null=True,
        blank=True,
        help_text=_("Some moments later: what else was asked for at once tells a machine."),
    )

    class Meta:
        verbose_name = _("tracking hit")
        verbose_name_plural = _("tracking hits")
        indexes = [
            # What else happened to the mail of a hit.
            models.Index(fields=["message", "at"], name="hit_of_message"),
            # What has still to be judged, the oldest first.
            models.Index(fields=["at"], condition=Q(judged_at__isnull=True), name="hit_to_judge"),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} {self.kind}"
