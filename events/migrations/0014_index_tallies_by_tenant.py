from django.db import migrations, models


class Migration(migrations.Migration):
    """Not concurrently: the table is as new as this."""

    dependencies = [("events", "0013_run_replays_in_steps")]

    operations = [
        migrations.AddIndex(
            "tally",
            models.Index(fields=["tenant", "span", "starts_at"], name="tallies_by_tenant"),
        ),
    ]
