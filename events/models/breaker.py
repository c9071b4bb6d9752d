"""The circuits in front of external services."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from events.circuit import CircuitState


class Breaker(models.Model):
    """The state of one circuit, see `events.circuit`; a lost row is a closed circuit.

    Every external handler has one under its name; other keys are free.
    """

    key = models.CharField(_("service"), max_length=200, primary_key=True)
    state = models.CharField(
        _("state"), max_length=10, choices=CircuitState.choices, default=CircuitState.CLOSED
    )
    window_started_at = models.DateTimeField(null=True)
    calls = models.PositiveIntegerField(_("calls"), default=0)
    failures = models.PositiveIntegerField(_("failures"), default=0)
    previous_calls = models.PositiveIntegerField(default=0)
    previous_failures = models.PositiveIntegerField(default=0)
    openings = models.PositiveIntegerField(_("openings in a row"), default=0)
    retry_at = models.DateTimeField(_("next probe"), null=True)
    probe = models.BigIntegerField(null=True)
    changed_at = models.DateTimeField(_("since"), db_default=Now())

    objects = models.Manager()

    class Meta:
        db_table = "breakers"
        verbose_name = _("circuit breaker")
        verbose_name_plural = _("circuit breakers")

    def __str__(self) -> str:
        return f"{self.key}: {self.state}"
