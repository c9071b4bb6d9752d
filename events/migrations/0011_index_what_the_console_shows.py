from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """Concurrently, so that events are published and settled meanwhile."""

    atomic = False

    dependencies = [("events", "0010_keep_what_the_console_shows")]

    operations = [
        AddIndexConcurrently(
            "delivery",
            models.Index(
                fields=["handler", "event"],
                condition=Q(status="failed"),
                name="deliveries_failed_by_handler",
            ),
        ),
        RemoveIndexConcurrently("delivery", "deliveries_failed"),
        AddIndexConcurrently(
            "delivery",
            models.Index(
                fields=["group_id", "event"],
                condition=Q(status="failed"),
                name="deliveries_failed_by_group",
            ),
        ),
        AddIndexConcurrently(
            "event",
            models.Index(
                fields=["corrects_id"],
                condition=Q(corrects_id__isnull=False),
                name="events_by_corrected",
            ),
        ),
        AddIndexConcurrently(
            "event",
            models.Index(
                F("id").desc(), condition=Q(status="failed"), name="events_failed_by_id"
            ),
        ),
    ]
