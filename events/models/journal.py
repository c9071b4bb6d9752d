"""The batches that workers hold."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class JournalEntry(models.Model):
    """A batch that a worker holds: committed before its handlers run, gone when it is settled.

    The settling transaction holds the advisory lock `token`. An entry whose lock is free was left
    by a worker that died.
    """

    token = models.BigIntegerField(primary_key=True)
    event_ids = ArrayField(models.UUIDField())
    handler = models.CharField(
        max_length=100, blank=True, help_text=_("The handler that runs, for an event alone.")
    )
    worker = models.CharField(_("worker"), max_length=100)
    server_started_at = models.DateTimeField(
        help_text=_("When the database server started: its restarts end batches too.")
    )
    started_at = models.DateTimeField(_("started"), db_default=Now())

    objects = models.Manager()

    class Meta:
        db_table = "journal"

    def __str__(self) -> str:
        return f"{len(self.event_ids)} events at {self.worker}"
