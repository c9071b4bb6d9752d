from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.models import Q, Value

AGAIN = "UPDATE replays SET again = handlers WHERE NOT only_failed"
ONLY_FAILED = "UPDATE replays SET only_failed = handlers <> '{}' AND again = '{}'"


class Migration(migrations.Migration):
    """The column that said it for all handlers at once goes at once, too: a worker of the version
    before that could read it would run again what succeeded."""

    dependencies = [("events", "0017_tell_tenants_their_part")]

    operations = [
        migrations.AddField(
            "replay",
            "again",
            ArrayField(
                models.CharField(max_length=100),
                verbose_name="once more",
                default=list,
                db_default=Value([], ArrayField(models.CharField(max_length=100))),
                help_text="Of the handlers: those that also run where they have succeeded.",
            ),
        ),
        migrations.RunSQL(AGAIN, ONLY_FAILED),
        migrations.RemoveField("replay", "only_failed"),
        migrations.AddIndex(
            "replay",
            models.Index(
                fields=["id"],
                condition=Q(status="cancelled", started_at=None, pruned_at=None),
                name="replays_dropped",
            ),
        ),
    ]
