from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Concurrently, so that messages are written meanwhile."""

    atomic = False

    dependencies = [("channels", "0008_remember_tries_and_consent")]

    operations = [
        AddIndexConcurrently(
            "message",
            models.Index(
                condition=models.Q(in_reply_to__isnull=False),
                fields=["in_reply_to"],
                name="message_answers",
            ),
        ),
        AddIndexConcurrently(
            "message",
            models.Index(
                condition=models.Q(template__isnull=False),
                fields=["template"],
                name="message_of_template",
            ),
        ),
    ]
