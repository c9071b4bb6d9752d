"""Handlers that somebody paused."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class HandlerPause(models.Model):
    """A handler that is not called until somebody resumes it; its deliveries wait."""

    handler = models.CharField(_("handler"), max_length=100, primary_key=True)
    reason = models.TextField(_("reason"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )
    paused_at = models.DateTimeField(_("since"), db_default=Now())

    objects = models.Manager()

    class Meta:
        db_table = "handler_pauses"
        verbose_name = _("paused handler")
        verbose_name_plural = _("paused handlers")

    def __str__(self) -> str:
        return self.handler
