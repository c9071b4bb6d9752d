from django.db import migrations, models


class Migration(migrations.Migration):
    """Nothing in the database changes: it holds whatever word there is."""

    dependencies = [("events", "0018_name_what_replays_run_once_more")]

    operations = [
        migrations.AlterField(
            "replay",
            "kind",
            models.CharField(
                max_length=10,
                choices=[
                    ("replay", "Replay"),
                    ("correction", "Correction"),
                    ("give_up", "Giving up"),
                ],
                default="replay",
                db_default="replay",
            ),
        ),
    ]
