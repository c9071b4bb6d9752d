import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Left


class Migration(migrations.Migration):
    """Concurrently, so that messages are written meanwhile."""

    atomic = False

    dependencies = [("channels", "0004_give_tenants_accounts")]

    operations = [
        AddIndexConcurrently(
            "conversation",
            models.Index(
                fields=["tenant", "channel", "state", "-last_message_at", "-id"],
                name="conversation_by_channel",
            ),
        ),
        AddIndexConcurrently(
            "conversation",
            models.Index(
                condition=Q(unread__gt=0),
                fields=["tenant", "-last_message_at", "-id"],
                name="conversation_unread",
            ),
        ),
        AddIndexConcurrently(
            "message",
            django.contrib.postgres.indexes.GinIndex(
                F("tenant"),
                django.contrib.postgres.search.SearchVector(
                    Left(
                        Concat("subject", Value(" "), "body", output_field=models.TextField()),
                        20_000,
                        output_field=models.TextField(),
                    ),
                    config="simple",
                ),
                name="message_search",
            ),
        ),
    ]
