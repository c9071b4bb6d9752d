from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("events", "0019_give_failures_up")]

    operations = [
        migrations.AlterModelOptions(
            "auditline",
            {"verbose_name": "audit line", "verbose_name_plural": "audit lines"},
        ),
    ]
