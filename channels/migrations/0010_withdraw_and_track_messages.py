import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds tables, and columns without computed values: it takes milliseconds on tables of any
    size."""

    dependencies = [
        ("accounts", "0002_mail_mentions"),
        ("channels", "0009_index_what_deletions_ask"),
    ]

    operations = [
        migrations.AddField(
            model_name="accounttrial",
            name="subject",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=200, verbose_name="subject"
            ),
        ),
        migrations.AddField(
            model_name="accounttrial",
            name="body",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="What is sent; empty: that the account works.",
                verbose_name="text",
            ),
        ),
        migrations.AddField(
            model_name="inbound",
            name="taken_in_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When it was read and written down.",
                null=True,
                verbose_name="taken in",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="unless_answered_since",
            field=models.DateTimeField(
                blank=True,
                help_text="It is withdrawn where the lead has written after that, on any channel.",
                null=True,
                verbose_name="unless they have written since",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="not_after",
            field=models.DateTimeField(
                blank=True,
                help_text="If it waits for longer, it is withdrawn.",
                null=True,
                verbose_name="not after",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="tracks",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="It tells when it was opened, and which of its links were clicked.",
                verbose_name="tracked",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="withdrawn_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="withdrawn"),
        ),
        migrations.AddField(
            model_name="message",
            name="opened_at",
            field=models.DateTimeField(
                blank=True,
                help_text="By a person, as far as anybody can tell.",
                null=True,
                verbose_name="opened",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="clicked_at",
            field=models.DateTimeField(
                blank=True,
                help_text="By a person, as far as anybody can tell.",
                null=True,
                verbose_name="clicked",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="error",
            field=models.TextField(
                blank=True,
                help_text="Why the last try did not succeed, in words; or why it was withdrawn.",
                verbose_name="error",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="status",
            field=models.CharField(
                choices=[
                    ("prepared", "To be sent by hand"),
                    ("queued", "Queued"),
                    ("unknown", "Unknown"),
                    ("sent", "Sent"),
                    ("delivered", "Delivered"),
                    ("read", "Read"),
                    ("failed", "Failed"),
                    ("withdrawn", "Withdrawn"),
                    ("received", "Received"),
                ],
                max_length=10,
                verbose_name="status",
            ),
        ),
        migrations.CreateModel(
            name="TrackedLink",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.PositiveSmallIntegerField(verbose_name="number")),
                ("url", models.TextField(verbose_name="address")),
                (
                    "message",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tracked_links",
                        to="channels.message",
                        verbose_name="message",
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
                "verbose_name": "tracked link",
                "verbose_name_plural": "tracked links",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("message", "number"), name="tracked_link_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TrackingHit",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("opened", "opened"), ("clicked", "clicked")],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
                ("agent", models.CharField(blank=True, max_length=30, verbose_name="program")),
                (
                    "network",
                    models.CharField(
                        blank=True,
                        help_text="A /24 of IPv4, a /48 of IPv6.",
                        max_length=50,
                        verbose_name="network",
                    ),
                ),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="why it was a machine",
                    ),
                ),
                (
                    "is_machine",
                    models.BooleanField(default=False, verbose_name="by a machine"),
                ),
                (
                    "judged_at",
                    models.DateTimeField(
                        blank=True,
                        help_text=(
                            "Some moments later: what else was asked for at once tells a machine."
                        ),
                        null=True,
                        verbose_name="judged",
                    ),
                ),
                (
                    "link",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="channels.trackedlink",
                        verbose_name="link",
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tracking_hits",
                        to="channels.message",
                        verbose_name="message",
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
                "verbose_name": "tracking hit",
                "verbose_name_plural": "tracking hits",
                "indexes": [
                    models.Index(fields=["message", "at"], name="hit_of_message"),
                    models.Index(
                        condition=models.Q(("judged_at__isnull", True)),
                        fields=["at"],
                        name="hit_to_judge",
                    ),
                ],
            },
        ),
    ]
