from django.db import migrations, models


class Migration(migrations.Migration):
    """A constant default: no row of a live table is touched."""

    dependencies = [("events", "0003_index_what_is_due")]

    operations = [
        migrations.AddField(
            model_name="event",
            name="traceparent",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=55
            ),
        ),
    ]
