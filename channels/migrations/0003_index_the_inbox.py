from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Concurrently, so that messages are written meanwhile."""

    atomic = False

    dependencies = [("channels", "0002_connect_accounts")]

    operations = [
        AddIndexConcurrently(
            "conversation",
            models.Index(
                fields=["tenant", "assignee", "state", "-last_message_at", "-id"],
                name="conversation_by_assignee",
            ),
        ),
        AddIndexConcurrently(
            "conversation",
            models.Index(fields=["tenant", "-changed_at"], name="conversation_by_change"),
        ),
        AddIndexConcurrently(
            "conversation",
            models.Index(
                fields=["snoozed_until"],
                condition=models.Q(state="snoozed"),
                name="conversation_to_wake",
            ),
        ),
    ]
