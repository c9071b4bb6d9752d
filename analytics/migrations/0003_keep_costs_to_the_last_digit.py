from django.db import migrations, models


class Migration(migrations.Migration):
    """Writes the table of the autopilot's facts anew, which nothing has filled before this."""

    dependencies = [("analytics", "0002_time_messages")]

    operations = [
        migrations.AlterField(
            model_name="autopilotfact",
            name="cost",
            field=models.DecimalField(
                decimal_places=12, help_text="In US dollars.", max_digits=20
            ),
        ),
        migrations.AlterField(
            model_name="autopilotfact",
            name="lead_id",
            field=models.UUIDField(help_text="Trying an endpoint is about no lead.", null=True),
        ),
    ]
