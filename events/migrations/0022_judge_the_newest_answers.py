from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0021_tell_of_many_alerts_at_once")]

    operations = [
        migrations.AddField(
            "replay", "stretch_answers", models.PositiveIntegerField(db_default=0, default=0)
        ),
        migrations.AddField(
            "replay", "stretch_failed", models.PositiveIntegerField(db_default=0, default=0)
        ),
    ]
