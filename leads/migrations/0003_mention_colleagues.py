import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0001_initial"),
        ("leads", "0002_reach_leads_on_linkedin"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Mention",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("seen_at", models.DateTimeField(blank=True, null=True, verbose_name="seen")),
                (
                    "note",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mentions",
                        to="leads.note",
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
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "mention",
                "verbose_name_plural": "mentions",
                "indexes": [
                    models.Index(fields=["tenant", "user", "-id"], name="mention_by_user"),
                    models.Index(
                        condition=models.Q(("seen_at__isnull", True)),
                        fields=["user"],
                        name="mention_unseen",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("note", "user"), name="mention_once")
                ],
            },
        ),
    ]
