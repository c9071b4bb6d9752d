import django.db.models.deletion
from django.db import migrations, models

import salesflow.accounts.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Parcel",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=salesflow.accounts.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("kind", models.CharField(max_length=10)),
                ("fate", models.CharField(max_length=10)),
                ("series_id", models.UUIDField()),
                ("number", models.PositiveIntegerField(default=0)),
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
        ),
        migrations.CreateModel(
            name="Effect",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("handler", models.CharField(max_length=30)),
                ("event_id", models.UUIDField()),
                ("parcel_id", models.UUIDField()),
                ("tenant_id", models.UUIDField()),
                ("series_id", models.UUIDField()),
                ("number", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Repair",
            fields=[("parcel_id", models.UUIDField(primary_key=True, serialize=False))],
        ),
        migrations.CreateModel(
            name="Counter",
            fields=[
                ("tenant_id", models.UUIDField(primary_key=True, serialize=False)),
                ("total", models.BigIntegerField(default=0)),
            ],
        ),
    ]
