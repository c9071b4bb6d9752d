import django.db.models.deletion
import django.db.models.functions.datetime
import salesflow.accounts.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0001_initial"),
        ("channels", "0005_search_the_inbox"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AccountTrial",
            fields=[
                ("id", models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("check", "Check"), ("send", "Message to myself"), ("webhook", "Check of the webhook")], max_length=10, verbose_name="kind")),
                ("address", models.CharField(blank=True, max_length=254, verbose_name="address")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="asked")),
                ("begun_at", models.DateTimeField(blank=True, null=True, verbose_name="begun")),
                ("answered_at", models.DateTimeField(blank=True, null=True, verbose_name="answered")),
                ("has_worked", models.BooleanField(blank=True, null=True, verbose_name="has worked")),
                ("answer", models.TextField(blank=True, help_text="What came of it, in words.", verbose_name="answer")),
                ("account", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="trials", to="channels.account", verbose_name="account")),
                ("actor", models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="by")),
                ("tenant", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant", verbose_name="tenant")),
            ],
            options={
                "verbose_name": "trial of an account",
                "verbose_name_plural": "trials of accounts",
                "indexes": [models.Index(fields=["account", "-id"], name="trial_of_account")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(answered_at__isnull=True, has_worked__isnull=True)
                        | models.Q(answered_at__isnull=False, has_worked__isnull=False),
                        name="trial_answered_or_not",
                    )
                ],
            },
        ),
    ]
