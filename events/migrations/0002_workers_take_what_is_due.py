import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Constant defaults and a new table: no row of a live table is touched."""

    dependencies = [("events", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="JournalEntry",
            fields=[
                ("token", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "event_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), size=None
                    ),
                ),
                (
                    "handler",
                    models.CharField(
                        blank=True,
                        help_text="The handler that runs, for an event alone.",
                        max_length=100,
                    ),
                ),
                ("worker", models.CharField(max_length=100, verbose_name="worker")),
                (
                    "server_started_at",
                    models.DateTimeField(
                        help_text="When the database server started: its restarts end batches too."
                    ),
                ),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="started",
                    ),
                ),
            ],
            options={"db_table": "journal"},
        ),
        migrations.AlterField(
            model_name="event",
            name="due_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                help_text="When a worker takes it, as long as it is pending.",
                verbose_name="due",
            ),
        ),
    ]
