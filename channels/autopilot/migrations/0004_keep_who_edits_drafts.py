"""Who last saved a draft in the editor, until when it is good, what went out without anybody, and
which sequences can be proposed."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("accounts", "0002_mail_mentions"),
        ("autopilot", "0003_index_what_tries_endpoints"),
    ]

    operations = [
        migrations.AddField(
            model_name="draft",
            name="edited_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="edited"),
        ),
        migrations.AddField(
            model_name="draft",
            name="edited_by",
            field=models.ForeignKey(
                blank=True,
                help_text="Who last saved the text in the editor, changed or as it was.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="edited by",
            ),
        ),
        migrations.AddField(
            model_name="draft",
            name="good_until",
            field=models.DateTimeField(
                blank=True,
                help_text="Who has not decided about it by then, need not any more.",
                null=True,
                verbose_name="good until",
            ),
        ),
        migrations.AddIndex(
            model_name="draft",
            index=models.Index(
                condition=models.Q(("state", "pending")),
                fields=["good_until"],
                name="draft_to_expire",
            ),
        ),
        migrations.AddIndex(
            model_name="draft",
            index=models.Index(
                condition=models.Q(("decided_by__isnull", True), ("state__in", ["approved", "sent"])),
                fields=["tenant", "decided_at"],
                name="draft_by_rule",
            ),
        ),
        migrations.CreateModel(
            name="KnownSequence",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("sequence_id", models.UUIDField(unique=True, verbose_name="sequence")),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="It is neither paused nor archived.",
                        verbose_name="can be proposed",
                    ),
                ),
                (
                    "position",
                    models.BigIntegerField(
                        help_text="In the log, of the event that told of it last.",
                        verbose_name="position",
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
                "verbose_name": "known sequence",
                "verbose_name_plural": "known sequences",
                "indexes": [
                    models.Index(fields=["tenant", "name", "id"], name="known_sequence_by_name")
                ],
            },
        ),
    ]
