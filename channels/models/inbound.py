"""What vendors hand over, kept as it came until it has been taken in."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from channels.models.account import Account
from channels.payloads import InboundReceived
from events import Publisher, publishes
from leads.models import Lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped


@publishes(InboundReceived, on="create")
class Inbound(Publisher):
    """A webhook call or a mail, byte for byte: stored at once, taken in by a handler.

    So the vendor has its answer within milliseconds, and what we read wrongly is read again by a
    replay.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(
        Account,
        on_delete=models.CASCADE,
        # The constraint's index serves it.
        db_index=False,
        related_name="inbounds",
        verbose_name=_("account"),
    )
    key = models.CharField(
        max_length=100,
        help_text=_("A digest, or a place in a mailbox: what is handed over twice is kept once."),
    )
    body = models.BinaryField()
    received_at = models.DateTimeField(_("received"), db_default=Now())
    taken_in_at = models.DateTimeField(
        _("taken in"), null=True, blank=True, help_text=_("When it was read and written down.")
    )

    class Meta:
        verbose_name = _("inbound delivery")
        verbose_name_plural = _("inbound deliveries")
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="inbound_once"),
        ]
        indexes = [
            # What was taken in long ago is deleted by age.
            models.Index(fields=["received_at"], name="inbound_by_age"),
            # What has only just come in and was not read yet: it may be an answer.
            models.Index(
                fields=["tenant", "-received_at"],
                condition=models.Q(taken_in_at__isnull=True),
                name="inbound_unread",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.key}"


class Identity(TenantScoped):
    """Somebody as an account's vendor knows them, and the lead that they are.

    The vendor's id is the key, never the phone number alone: a number may be hidden, or change.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(
        Account,
        on_delete=models.CASCADE,
        # The constraint's index serves it.
        db_index=False,
        related_name="identities",
        verbose_name=_("account"),
    )
    external_id = models.CharField(_("vendor's id"), max_length=254)
    lead = models.ForeignKey(
        Lead, on_delete=models.CASCADE, related_name="identities", verbose_name=_("lead")
    )
    name = models.CharField(_("name"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [
            models.UniqueConstraint(fields=["account", "external_id"], name="identity_once"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id
