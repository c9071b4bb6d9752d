from datetime import UTC, datetime

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Concurrently, so that events are published and settled meanwhile."""

    atomic = False

    dependencies = [("events", "0011_index_what_the_console_shows")]

    operations = [
        AddIndexConcurrently(
            "delivery",
            models.Index(
                fields=["handler", "event"],
                condition=Q(status="pending", next_attempt_at=datetime(9999, 1, 1, tzinfo=UTC)),
                name="deliveries_paused",
            ),
        ),
    ]
