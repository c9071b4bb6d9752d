from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds columns alone, none of them computed: it takes milliseconds on a table of any size."""

    dependencies = [("channels", "0007_list_consent_by_tenant")]

    operations = [
        migrations.AddField(
            model_name="addressstanding",
            name="allowed_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When they allowed it last.",
                null=True,
                verbose_name="allowed",
            ),
        ),
        migrations.AddField(
            model_name="consentrecord",
            name="said_at",
            field=models.DateTimeField(
                blank=True, help_text="When they said so.", null=True, verbose_name="said"
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="earlier_attempts",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="Those of them that were made before it was replayed last.",
                verbose_name="earlier attempts",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="held_since",
            field=models.DateTimeField(
                blank=True,
                help_text="Since when it lets an earlier message of the conversation go first.",
                null=True,
                verbose_name="held since",
            ),
        ),
    ]
