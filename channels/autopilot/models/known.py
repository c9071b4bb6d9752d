"""What others have told the autopilot of: it imports nothing of theirs."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.models import TenantScoped


class KnownSequence(TenantScoped):
    """A sequence that was published, as its events have told of it last."""

    id = models.BigAutoField(primary_key=True)
    sequence_id = models.UUIDField(_("sequence"), unique=True)
    name = models.CharField(_("name"), max_length=100)
    is_active = models.BooleanField(
        _("can be proposed"), default=True, help_text=_("It is neither paused nor archived.")
    )
    position = models.BigIntegerField(
        _("position"), help_text=_("In the log, of the event that told of it last.")
    )

    class Meta:
        verbose_name = _("known sequence")
        verbose_name_plural = _("known sequences")
        indexes = [
            # What is offered to a model: one tenant's, by name.
            models.Index(fields=["tenant", "name", "id"], name="known_sequence_by_name"),
        ]

    def __str__(self) -> str:
        return self.name
