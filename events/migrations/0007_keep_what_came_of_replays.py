from django.db import migrations, models

# Replays are few: one statement a replay that an admin or a program once made.
TELL_FINISHED_ONES = """
    UPDATE replays SET
        succeeded = counts.succeeded, failed = counts.failed, skipped = counts.skipped,
        skipped_because = counts.because
    FROM (
        SELECT replay_id,
            coalesce(sum(number) FILTER (WHERE status = 'succeeded'), 0) AS succeeded,
            coalesce(sum(number) FILTER (WHERE status = 'failed'), 0) AS failed,
            coalesce(sum(number) FILTER (WHERE status = 'skipped'), 0) AS skipped,
            coalesce(
                jsonb_object_agg(note, number) FILTER (WHERE status = 'skipped'), '{}'
            ) AS because
        FROM (
            SELECT replay_id, status, note, count(*) AS number
            FROM replay_items GROUP BY replay_id, status, note
        ) AS items
        GROUP BY replay_id
    ) AS counts
    WHERE replays.id = counts.replay_id AND replays.status = 'finished'
"""


class Migration(migrations.Migration):
    """Constant defaults: adding the columns touches no row."""

    dependencies = [("events", "0006_index_external_deliveries")]

    operations = [
        *(
            migrations.AddField(
                "replay",
                name,
                models.PositiveIntegerField(default=0, db_default=0, verbose_name=name),
            )
            for name in ("succeeded", "failed", "skipped")
        ),
        migrations.AddField(
            "replay",
            "skipped_because",
            models.JSONField(
                default=dict,
                db_default=models.Value({}, models.JSONField()),
                help_text="Note of the skipped items → how many.",
                verbose_name="skipped because",
            ),
        ),
        migrations.AddField(
            "replay",
            "pruned_at",
            models.DateTimeField(
                help_text="When the list of its events was deleted.",
                null=True,
                verbose_name="pruned",
            ),
        ),
        migrations.RunSQL(TELL_FINISHED_ONES, migrations.RunSQL.noop),
    ]
