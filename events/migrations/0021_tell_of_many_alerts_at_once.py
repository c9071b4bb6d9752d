from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Concurrently, so that alerts are raised meanwhile."""

    atomic = False

    dependencies = [("events", "0020_name_many_audit_lines")]

    operations = [
        migrations.AddField(
            "alertrule",
            "digested_at",
            models.DateTimeField(null=True, editable=False, verbose_name="last digest"),
        ),
        # How much a rule has told of late: WHERE rule_id = … AND raised_at > …
        AddIndexConcurrently(
            "alert", models.Index(fields=["rule", "raised_at"], name="alerts_by_time")
        ),
        # What waits for a digest: WHERE rule_id = … AND event_id IS NULL AND raised_at < …
        AddIndexConcurrently(
            "alert",
            models.Index(
                fields=["rule", "raised_at"],
                condition=models.Q(event_id__isnull=True),
                name="alerts_held_back",
            ),
        ),
    ]
