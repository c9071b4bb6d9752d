from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Concurrently, so that replays are made and finished meanwhile."""

    atomic = False

    dependencies = [("events", "0007_keep_what_came_of_replays")]

    operations = [
        AddIndexConcurrently(
            "replay",
            models.Index(
                fields=["finished_at"],
                condition=Q(status="finished", pruned_at=None),
                name="replays_unpruned",
            ),
        ),
    ]
