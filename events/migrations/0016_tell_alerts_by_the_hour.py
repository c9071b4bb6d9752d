from django.db import migrations, models


class Migration(migrations.Migration):
    """Not concurrently: the table holds the alerts of ninety days."""

    dependencies = [("events", "0015_index_what_narrows_lists")]

    operations = [
        migrations.RemoveConstraint("alert", "alert_once"),
        migrations.AddField("alert", "value", models.FloatField(null=True)),
        migrations.AddField("alert", "threshold", models.FloatField(null=True)),
        migrations.AddIndex(
            "alert", models.Index(fields=["rule", "key", "raised_at"], name="alerts_by_key")
        ),
        migrations.AddIndex("alert", models.Index(fields=["event_id"], name="alerts_by_event")),
    ]
