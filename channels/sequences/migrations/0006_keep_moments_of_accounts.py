import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """The default stays in the table: who still runs the old code writes rows without it."""

    dependencies = [
        ("sequences", "0005_tell_what_is_tracked"),
    ]

    operations = [
        migrations.AddField(
            model_name="dayquota",
            name="moments",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.DateTimeField(),
                blank=True,
                db_default=[],
                default=list,
                size=None,
            ),
        ),
    ]
