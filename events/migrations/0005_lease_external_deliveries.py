import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """A nullable column and a new table: no row of a live table is touched.

    Deliveries that wait meanwhile get their tenant when they are handed over anew.
    """

    dependencies = [("events", "0004_carry_the_trace"), ("accounts", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text=(
                    "Of a delivery to an external handler: whose share of the calls it takes."
                ),
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="accounts.tenant",
            ),
        ),
        migrations.CreateModel(
            name="Breaker",
            fields=[
                (
                    "key",
                    models.CharField(
                        max_length=200, primary_key=True, serialize=False, verbose_name="service"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("closed", "Closed"),
                            ("open", "Open"),
                            ("half_open", "Half-open"),
                        ],
                        default="closed",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("window_started_at", models.DateTimeField(null=True)),
                ("calls", models.PositiveIntegerField(default=0, verbose_name="calls")),
                ("failures", models.PositiveIntegerField(default=0, verbose_name="failures")),
                ("previous_calls", models.PositiveIntegerField(default=0)),
                ("previous_failures", models.PositiveIntegerField(default=0)),
                (
                    "openings",
                    models.PositiveIntegerField(default=0, verbose_name="openings in a row"),
                ),
                ("retry_at", models.DateTimeField(null=True, verbose_name="next probe")),
                ("probe", models.BigIntegerField(null=True)),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="since"
                    ),
                ),
            ],
            options={
                "verbose_name": "circuit breaker",
                "verbose_name_plural": "circuit breakers",
                "db_table": "breakers",
            },
        ),
    ]
