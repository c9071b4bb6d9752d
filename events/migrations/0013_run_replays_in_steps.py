from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Concurrently, so that events are published and settled meanwhile."""

    atomic = False

    dependencies = [("events", "0012_index_what_is_paused")]

    operations = [
        migrations.AddField(
            "replay",
            "only_failed",
            models.BooleanField(
                db_default=False,
                default=False,
                help_text=(
                    "Of named handlers: they do not run again for events that they have handled."
                ),
                verbose_name="only where they failed",
            ),
        ),
        AddIndexConcurrently(
            "replay",
            models.Index(
                fields=["status", "id"],
                condition=Q(status__in=["planning", "planned", "running", "paused", "stopped"]),
                name="replays_open",
            ),
        ),
        RemoveIndexConcurrently("replay", "replays_running"),
        AddIndexConcurrently(
            "replay",
            models.Index(
                fields=["finished_at"],
                condition=Q(finished_at__isnull=False, pruned_at=None),
                name="replays_ended",
            ),
        ),
        RemoveIndexConcurrently("replay", "replays_unpruned"),
        AddIndexConcurrently(
            "replayitem",
            models.Index(
                fields=["correction_id"],
                condition=Q(status="released", correction_id__isnull=False),
                name="replay_items_corrected",
            ),
        ),
    ]
