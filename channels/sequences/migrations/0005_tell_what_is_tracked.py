from django.db import migrations, models

# What is tracked is a small part of what was sent, and a row is written once at most.
TELL_OF_THE_PAST = """
    UPDATE sequences_execution AS execution SET tracked_at = execution.sent_at
    FROM channels_message AS message
    WHERE message.id = execution.message_id AND message.tracks
      AND execution.sent_at IS NOT NULL AND execution.tracked_at IS NULL
"""


class Migration(migrations.Migration):
    """The rows after the column, in a transaction of their own: nobody waits for the table."""

    atomic = False

    dependencies = [
        ("sequences", "0004_list_people_of_sequences"),
        ("channels", "0011_index_what_came_in"),
    ]

    operations = [
        migrations.AddField(
            model_name="execution",
            name="tracked_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When its message went out, where that one tells whether it is opened.",
                null=True,
                verbose_name="tracked",
            ),
        ),
        migrations.RunSQL(TELL_OF_THE_PAST, migrations.RunSQL.noop),
    ]
