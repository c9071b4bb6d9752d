from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F


class Migration(migrations.Migration):
    """Concurrently: audit lines are kept for ever."""

    atomic = False

    dependencies = [("events", "0016_tell_alerts_by_the_hour")]

    operations = [
        migrations.AddField("auditline", "part_of", models.UUIDField(null=True)),
        AddIndexConcurrently(
            "auditline", models.Index("action", F("id").desc(), name="audit_lines_by_action")
        ),
    ]
