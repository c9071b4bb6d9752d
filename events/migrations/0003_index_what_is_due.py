from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Concurrently, so that events are published and settled meanwhile."""

    atomic = False

    dependencies = [("events", "0002_workers_take_what_is_due")]

    operations = [
        AddIndexConcurrently(
            "event",
            models.Index(
                fields=["tenant", "due_at", "position"],
                condition=Q(status="pending"),
                name="events_waiting",
            ),
        ),
        AddIndexConcurrently(
            "event",
            models.Index(
                fields=["subject_id", "position"],
                condition=~Q(status="processed") & Q(subject_id__isnull=False),
                name="events_open_by_subject",
            ),
        ),
        RemoveIndexConcurrently("event", "events_due"),
    ]
