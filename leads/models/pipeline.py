"""Ways from a first contact to won or lost."""

from __future__ import annotations

from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped


class Outcome(models.TextChoices):
    """How a deal stands, and what kind of stage says so."""

    OPEN = "open", _("open")
    WON = "won", _("won")
    LOST = "lost", _("lost")


class Pipeline(TenantScoped):
    """A way from first contact to won or lost."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=100)
    position = models.PositiveIntegerField(_("position"), default=0)
    is_default = models.BooleanField(_("default"), default=False)

    class Meta:
        verbose_name = _("pipeline")
        verbose_name_plural = _("pipelines")
        ordering = ["position", "name"]
        constraints = [
            # Its index answers "the pipelines of this tenant".
            models.UniqueConstraint("tenant", Lower("name"), name="pipeline_name_once_per_tenant"),
            # Its index answers "the default pipeline of this tenant".
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(is_default=True), name="pipeline_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def stage_of_kind(self, kind: str) -> Stage | None:
        """The first stage of `kind` (an `Outcome`)."""
        return next((stage for stage in self.stages.all() if stage.kind == kind), None)


class Stage(TenantScoped):
    """A step of a pipeline; entering one of kind won or lost closes the deal."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pipeline = models.ForeignKey(
        Pipeline, on_delete=models.CASCADE, related_name="stages", verbose_name=_("pipeline")
    )
    name = models.CharField(_("name"), max_length=100)
    position = models.PositiveIntegerField(_("position"), default=0)
    probability = models.PositiveSmallIntegerField(
        _("probability"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=_("Chance in percent that a deal in this stage is won."),
    )
    kind = models.CharField(_("kind"), max_length=4, choices=Outcome.choices, default=Outcome.OPEN)

    class Meta:
        verbose_name = _("stage")
        verbose_name_plural = _("stages")
        ordering = ["position", "name"]
        constraints = [
            # Its index answers "the stages of this pipeline".
            models.UniqueConstraint("pipeline", Lower("name"), name="stage_name_once_per_pipeline"),
            models.CheckConstraint(
                condition=Q(probability__lte=100), name="stage_probability_is_a_percentage"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=Outcome.values), name="stage_kind_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def sibling(self, stage_id: UUID | None) -> Stage | None:
        """The stage with that id, looked for in this pipeline first; None when it is gone."""
        if stage_id is None:
            return None
        for stage in self.pipeline.stages.all():
            if stage.id == stage_id:
                return stage
        found: Stage | None = Stage.objects.filter(id=stage_id).first()
        return found
