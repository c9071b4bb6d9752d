from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Concurrently, so that events are published and settled meanwhile."""

    atomic = False

    dependencies = [("events", "0008_index_unpruned_replays")]

    operations = [
        AddIndexConcurrently(
            "delivery",
            models.Index(
                fields=["status", "event", "handler"],
                condition=Q(failures__gt=0),
                name="deliveries_failing",
            ),
        ),
    ]
