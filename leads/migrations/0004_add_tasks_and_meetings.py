from datetime import UTC, datetime

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Coalesce

import leads.places
import salesflow.accounts.ids

DUE = Coalesce(F("due_at"), datetime(9999, 12, 31, tzinfo=UTC))


class Migration(migrations.Migration):
    """New tables, and columns with constant defaults: it takes milliseconds on tables of any size."""

    dependencies = [
        ("accounts", "0002_mail_mentions"),
        ("leads", "0003_mention_colleagues"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="lead",
            name="time_zone",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text=(
                    "Such as Europe/Berlin. Empty: as the country or the phone number tells."
                ),
                max_length=64,
                validators=[leads.places.validate_time_zone],
                verbose_name="time zone",
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="country",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Two letters, such as DE: whose holidays they keep.",
                max_length=2,
                validators=[leads.places.validate_country],
                verbose_name="country",
            ),
        ),
        migrations.CreateModel(
            name="Task",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("call", "Call"),
                            ("email", "E-mail"),
                            ("linkedin", "LinkedIn"),
                            ("todo", "To do"),
                        ],
                        default="todo",
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("title", models.CharField(max_length=200, verbose_name="title")),
                ("body", models.TextField(blank=True, max_length=10000, verbose_name="text")),
                ("due_at", models.DateTimeField(blank=True, null=True, verbose_name="due")),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("done", "Done"), ("skipped", "Skipped")],
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        help_text="Why it was skipped.",
                        max_length=500,
                        verbose_name="reason",
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        blank=True,
                        help_text="What has asked for it, such as “sequence”; empty: a person.",
                        max_length=50,
                        verbose_name="source",
                    ),
                ),
                (
                    "source_id",
                    models.CharField(
                        blank=True,
                        help_text="What asks twice gets one task.",
                        max_length=100,
                        verbose_name="source's id",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="created"
                    ),
                ),
                (
                    "settled_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="done or skipped"),
                ),
                (
                    "assignee",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="assignee",
                    ),
                ),
                (
                    "lead",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tasks",
                        to="leads.lead",
                        verbose_name="lead",
                    ),
                ),
                (
                    "settled_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="done or skipped by",
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
                "verbose_name": "task",
                "verbose_name_plural": "tasks",
                "indexes": [
                    models.Index(
                        *(F("tenant"), F("assignee"), DUE, F("id")),
                        condition=models.Q(("state", "open")),
                        name="task_to_do",
                    ),
                    models.Index(
                        *(F("tenant"), DUE, F("id")),
                        condition=models.Q(("assignee__isnull", True), ("state", "open")),
                        name="task_of_nobody",
                    ),
                    models.Index(
                        *(F("tenant"), DUE, F("id")),
                        condition=models.Q(("state", "open")),
                        name="task_of_team",
                    ),
                    models.Index(fields=["lead", "-created_at", "-id"], name="task_of_lead"),
                    models.Index(fields=["tenant", "-created_at", "-id"], name="task_by_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("source", ""), _negated=True
                        )
                        & models.Q(("source_id", ""), _negated=True),
                        fields=("tenant", "source", "source_id"),
                        name="task_once_per_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("title", ""), _negated=True),
                        name="task_says_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("settled_at__isnull", True), ("state", "open")),
                            models.Q(
                                models.Q(("state", "open"), _negated=True),
                                ("settled_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="task_settled_when",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Meeting",
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
                ("title", models.CharField(max_length=200, verbose_name="title")),
                ("starts_at", models.DateTimeField(verbose_name="begins")),
                (
                    "source",
                    models.CharField(
                        blank=True,
                        help_text="Which program told of it; empty: a person.",
                        max_length=50,
                        verbose_name="source",
                    ),
                ),
                (
                    "external_id",
                    models.CharField(
                        blank=True,
                        help_text="What that program calls it: what is told twice is kept once.",
                        max_length=200,
                        verbose_name="external id",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="booked"),
                ),
                (
                    "booked_by",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: the lead, or a program.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="booked by",
                    ),
                ),
                (
                    "lead",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="meetings",
                        to="leads.lead",
                        verbose_name="lead",
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
                "verbose_name": "meeting",
                "verbose_name_plural": "meetings",
                "indexes": [
                    models.Index(fields=["lead", "-starts_at", "-id"], name="meeting_of_lead"),
                    models.Index(fields=["tenant", "-id"], name="meeting_by_tenant"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("external_id", ""), _negated=True),
                        fields=("lead", "source", "external_id"),
                        name="meeting_once_per_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("title", ""), _negated=True),
                        name="meeting_says_something",
                    ),
                ],
            },
        ),
    ]
