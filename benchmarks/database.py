"""The database between two measurements: prepared once, emptied before each."""

from django.core.management import call_command
from django.db import connection

from salesflow.accounts.models import Tenant

# Everything that a measurement writes, whoever's it is; those of absent peers are passed over.
TABLES = [
    "bench_prospects",
    "bench_welcomes",
    "events",
    "deliveries",
    "attempts",
    "journal",
    "replays",
    "replay_items",
    "django_celery_results_taskresult",
    "procrastinate_jobs",
]


def prepare() -> None:
    """Migrate, and make the tenant whose leads are published."""
    call_command("migrate", verbosity=0, interactive=False)
    Tenant.objects.get_or_create(slug="bench", defaults={"name": "Bench"})


def empty() -> None:
    """Empty all tables and queues, and write out what that left, so that all begin alike."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(name, ', ') FROM unnest(%s::text[]) AS name"
            " WHERE to_regclass(name) IS NOT NULL",
            [TABLES],
        )
        [tables] = cursor.fetchone()
        cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        cursor.execute("SELECT pgmq.purge_queue(queue_name) FROM pgmq.list_queues()")
        cursor.execute("CHECKPOINT")
