from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Concurrently, so that messages are written meanwhile."""

    atomic = False

    dependencies = [("channels", "0010_withdraw_and_track_messages")]

    operations = [
        AddIndexConcurrently(
            "inbound",
            models.Index(
                condition=models.Q(taken_in_at__isnull=True),
                fields=["tenant", "-received_at"],
                name="inbound_unread",
            ),
        ),
        AddIndexConcurrently(
            "message",
            models.Index(
                condition=models.Q(direction="inbound", automatic=""),
                fields=["lead", "-stored_at"],
                name="message_written_by_lead",
            ),
        ),
    ]
