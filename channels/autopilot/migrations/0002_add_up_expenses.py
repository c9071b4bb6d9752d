from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("autopilot", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Expense",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("day", models.DateField(verbose_name="day")),
                ("action", models.CharField(max_length=20, verbose_name="action")),
                ("model", models.CharField(max_length=100, verbose_name="model")),
                ("calls", models.PositiveIntegerField(default=0, verbose_name="calls")),
                (
                    "prompt_tokens",
                    models.PositiveBigIntegerField(default=0, verbose_name="tokens read"),
                ),
                (
                    "cached_tokens",
                    models.PositiveBigIntegerField(default=0, verbose_name="of these from a cache"),
                ),
                (
                    "completion_tokens",
                    models.PositiveBigIntegerField(default=0, verbose_name="tokens written"),
                ),
                (
                    "estimated_calls",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Their tokens were told by nobody.",
                        verbose_name="estimated",
                    ),
                ),
                (
                    "unpriced_calls",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Nobody knows what they cost.",
                        verbose_name="without a price",
                    ),
                ),
                (
                    "cost",
                    models.DecimalField(
                        decimal_places=12,
                        default=Decimal("0"),
                        max_digits=20,
                        verbose_name="cost (US dollars)",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.tenant",
                        verbose_name="tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "expense of a day",
                "verbose_name_plural": "expenses of days",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "day", "action", "model"), name="expense_once_a_day"
                    )
                ],
            },
        ),
        migrations.AddField(
            "call",
            "budget",
            models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Of the day on which it began, which pays for it.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="autopilot.budget",
                verbose_name="budget",
            ),
        ),
        migrations.AddField(
            "call",
            "prices",
            models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                verbose_name="prices",
            ),
        ),
        migrations.AddField(
            "run",
            "earlier_calls",
            models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text=(
                    "Made before it was replayed: they count neither as tries nor as costs again."
                ),
            ),
        ),
        migrations.AlterField(
            "run",
            "action",
            models.CharField(
                choices=[
                    ("draft", "draft a reply"),
                    ("propose", "propose the next step"),
                    ("qualify", "qualify a lead"),
                    ("summarise", "summarise a conversation"),
                    ("extract", "extract leads"),
                    ("check", "try an endpoint"),
                ],
                max_length=20,
                verbose_name="action",
            ),
        ),
        migrations.AlterField(
            "endpoint",
            "base_url",
            models.CharField(
                blank=True,
                help_text="Such as https://api.example.com/v1; empty: the installation's.",
                max_length=500,
                verbose_name="address",
            ),
        ),
        migrations.AlterField(
            "endpoint",
            "name",
            models.CharField(blank=True, max_length=100, verbose_name="name"),
        ),
        migrations.AlterField(
            "endpoint",
            "model",
            models.CharField(blank=True, max_length=100, verbose_name="model"),
        ),
    ]
