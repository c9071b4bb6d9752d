from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Concurrently, so that messages are written meanwhile."""

    atomic = False

    dependencies = [("channels", "0011_index_what_came_in")]

    operations = [
        AddIndexConcurrently(
            "message",
            models.Index(
                condition=models.Q(direction="inbound", automatic=""),
                fields=["tenant", "-stored_at"],
                name="message_came_in",
            ),
        ),
    ]
