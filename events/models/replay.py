"""Replays, and what came of each of their events."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.ids import uuid7


class Replay(models.Model):
    """An admin's decision about what failed, over a frozen selection of events: to run it again, as
    it is or with another payload, or to give it up."""

    class Status(models.TextChoices):
        PLANNING = "planning", _("Being planned")
        PLANNED = "planned", _("Planned")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        STOPPED = "stopped", _("Stopped by itself")
        CANCELLED = "cancelled", _("Cancelled")
        FINISHED = "finished", _("Finished")

    class Kind(models.TextChoices):
        REPLAY = "replay", _("Replay")
        CORRECTION = "correction", _("Correction")
        GIVE_UP = "give_up", _("Giving up")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        "accounts.Tenant",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        verbose_name=_("tenant"),
        help_text=_("Empty: it spans several tenants."),
    )
    reason = models.TextField(_("reason"), blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )
    handlers = ArrayField(
        models.CharField(max_length=100),
        verbose_name=_("handlers"),
        default=list,
        help_text=_("Empty: those that failed."),
    )
    again = ArrayField(
        models.CharField(max_length=100),
        verbose_name=_("once more"),
        default=list,
        db_default=Value([], ArrayField(models.CharField(max_length=100))),
        help_text=_("Of the handlers: those that also run where they have succeeded."),
    )
    include_external = models.BooleanField(_("with external effects"), default=False)
    kind = models.CharField(
        max_length=10, choices=Kind.choices, default=Kind.REPLAY, db_default=Kind.REPLAY
    )
    selection = models.JSONField(
        _("selection"),
        db_default=Value({}, models.JSONField()),
        default=dict,
        help_text=_("The filter that was frozen, see `events.selections`."),
    )
    plan = models.JSONField(
        _("plan"),
        db_default=Value({}, models.JSONField()),
        default=dict,
        help_text=_("What the frozen selection held, counted when it was frozen."),
    )
    patch = models.JSONField(
        _("patch"), null=True, help_text=_("Of a correction: what it changes in each payload.")
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.RUNNING
    )
    selected = models.PositiveIntegerField(_("selected"), default=0)
    has_canary = models.BooleanField(
        _("canary first"),
        default=False,
        db_default=False,
        help_text=_("1, 10, 100 events, each step when the one before has answered."),
    )
    stop_percent = models.PositiveSmallIntegerField(
        _("stops at"),
        null=True,
        help_text=_("Per cent of failures among the answers; empty: goes on whatever fails."),
    )
    stopped_because = models.TextField(_("stopped because"), blank=True, default="", db_default="")
    pace = models.PositiveIntegerField(
        _("pace"), null=True, help_text=_("Events per second; empty: as fast as workers can.")
    )
    # Released so far, and when the last of them were: what a pace allows counts from there.
    released = models.PositiveIntegerField(default=0, db_default=0)
    released_at = models.DateTimeField(null=True)
    # The answers that were there when the newest stretch began, and the failures among them: what
    # came since is judged by itself, too.
    stretch_answers = models.PositiveIntegerField(default=0, db_default=0)
    stretch_failed = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(_("planned"), db_default=Now())
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    # What came of it, written when it finishes: it outlives the items.
    succeeded = models.PositiveIntegerField(_("succeeded"), db_default=0, default=0)
    failed = models.PositiveIntegerField(_("failed"), db_default=0, default=0)
    skipped = models.PositiveIntegerField(_("skipped"), db_default=0, default=0)
    skipped_because = models.JSONField(
        _("skipped because"),
        db_default=Value({}, models.JSONField()),
        default=dict,
        help_text=_("Note of the skipped items → how many."),
    )
    pruned_at = models.DateTimeField(
        _("pruned"), null=True, help_text=_("When the list of its events was deleted.")
    )

    class Meta:
        db_table = "replays"
        verbose_name = _("replay")
        verbose_name_plural = _("replays")
        ordering = ["-id"]
        indexes = [
            # The sweeper and the console: WHERE status = 'running', or another one before the end
            models.Index(
                fields=["status", "id"],
                condition=Q(status__in=["planning", "planned", "running", "paused", "stopped"]),
                name="replays_open",
            ),
            # Pruning: WHERE finished_at < … AND pruned_at IS NULL ORDER BY finished_at
            models.Index(
                fields=["finished_at"],
                condition=Q(finished_at__isnull=False, pruned_at=None),
                name="replays_ended",
            ),
            # Plans that were dropped, whose items are still to be deleted: WHERE status =
            # 'cancelled' AND started_at IS NULL AND pruned_at IS NULL ORDER BY id
            models.Index(
                fields=["id"],
                condition=Q(status="cancelled", started_at=None, pruned_at=None),
                name="replays_dropped",
            ),
        ]

    def __str__(self) -> str:
        return self.reason or str(self.id)

    @property
    def gives_up(self) -> bool:
        """Whether it sets failures aside and runs nothing."""
        return self.kind == self.Kind.GIVE_UP

    @property
    def only_failed(self) -> bool:
        """Whether handlers are named that do not run again for events that they have handled."""
        return bool(self.handlers) and not self.again


class ReplayItem(models.Model):
    """One event of a replay's selection, and what came of it."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RELEASED = "released", _("Running")
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")
        SKIPPED = "skipped", _("Skipped")

    replay = models.ForeignKey(
        Replay, on_delete=models.CASCADE, db_index=False, related_name="items"
    )
    event_id = models.UUIDField(_("event"))
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.WAITING
    )
    note = models.TextField(_("note"), blank=True)
    # Of a failed item: whether it failed in the way that the replay set out to cure.
    came_back = models.BooleanField(default=False, db_default=False)
    # Of a correction: the event that was published in place of this one.
    correction_id = models.UUIDField(_("correction"), null=True)

    class Meta:
        db_table = "replay_items"
        verbose_name = _("replay item")
        verbose_name_plural = _("replay items")
        constraints = [
            models.UniqueConstraint(fields=["replay", "event_id"], name="replay_item_once"),
        ]
        indexes = [
            # Progress and the next items: WHERE replay_id = … AND status = … ORDER BY id
            models.Index(fields=["replay", "status", "id"], name="replay_items_by_status"),
            # What came of them, page by page: WHERE replay_id = … AND id > … ORDER BY id
            models.Index(fields=["replay", "id"], name="replay_items_in_order"),
            # What a settled event answers: WHERE event_id = ANY(…) AND status = 'released'
            models.Index(
                fields=["event_id"], condition=Q(status="released"), name="replay_items_released"
            ),
            # … and the event that was published in its place: WHERE correction_id = ANY(…)
            models.Index(
                fields=["correction_id"],
                condition=Q(status="released", correction_id__isnull=False),
                name="replay_items_corrected",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id}: {self.status}"

    @property
    def note_label(self) -> str:
        """The note in the reader's language, where it is one of ours."""
        return note_label(self.note)


def note_label(note: str) -> str:
    """A note in the reader's language; what it is about may stand behind a colon."""
    text, colon, about = note.rpartition(": ")
    known = gettext(note)
    return known if known != note or not colon else f"{gettext(text)}: {about}"
