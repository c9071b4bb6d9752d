from django.db import migrations, models
from django.db.migrations.operations.base import Operation

ASKED_FOR = ~models.Q(source="") & ~models.Q(source_id="")
# A unique constraint with a condition is an index, and an index alone can be made concurrently.
MAKE = """
    CREATE UNIQUE INDEX CONCURRENTLY {name} ON leads_task ({column}, source, source_id)
    WHERE source <> '' AND source_id <> ''
"""
# One whose making was interrupted is there, too, and invalid.
DROP = "DROP INDEX CONCURRENTLY IF EXISTS {name}"
# Asked before an index is made that would fail on them, and stay, invalid, and refuse what is new.
REFUSE_TWINS = """
    DO $$ BEGIN
        IF EXISTS (
            SELECT FROM leads_task WHERE source <> '' AND source_id <> ''
            GROUP BY tenant_id, source, source_id HAVING count(*) > 1
        ) THEN RAISE EXCEPTION 'two leads have tasks by one id of one source';
        END IF;
    END $$
"""


def swap(*, old: tuple[str, str], new: tuple[str, str]) -> list[Operation]:
    """What puts an index, by its name and first column, in the place of another."""
    (old_name, old_column), (new_name, new_column) = old, new
    return [
        migrations.RunSQL(DROP.format(name=new_name), migrations.RunSQL.noop),
        migrations.RunSQL(
            MAKE.format(name=new_name, column=new_column), DROP.format(name=new_name)
        ),
        migrations.RunSQL(
            DROP.format(name=old_name), MAKE.format(name=old_name, column=old_column)
        ),
        migrations.RunSQL(migrations.RunSQL.noop, DROP.format(name=old_name)),
        migrations.RunSQL(migrations.RunSQL.noop, REFUSE_TWINS),
    ]


class Migration(migrations.Migration):
    """Concurrently, so that tasks are added meanwhile.

    Its reverse refuses to run where two leads have tasks by one id of one source.
    """

    atomic = False

    dependencies = [("leads", "0004_add_tasks_and_meetings")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=swap(
                old=("task_once_per_source", "tenant_id"), new=("task_once_per_lead", "lead_id")
            ),
            state_operations=[
                migrations.RemoveConstraint("task", "task_once_per_source"),
                migrations.AddConstraint(
                    "task",
                    models.UniqueConstraint(
                        fields=["lead", "source", "source_id"],
                        condition=ASKED_FOR,
                        name="task_once_per_lead",
                    ),
                ),
            ],
        )
    ]
