"""The database between two measurements: prepared once, emptied before each."""

from typing import Any

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
    "django_tasks_database_dbtaskresult",
    "procrastinate_jobs",
]
EXISTING = """
    SELECT string_agg(name, ', ') FROM unnest(%(names)s::text[]) AS name
    WHERE to_regclass(name) IS NOT NULL
"""


def prepare() -> None:
    """Migrate, and make the tenant whose leads are published."""
    call_command("migrate", verbosity=0, interactive=False)
    Tenant.objects.get_or_create(slug="bench", defaults={"name": "Bench"})


def bench_tenant() -> Tenant:
    """The tenant whose leads are published."""
    return Tenant.objects.get(slug="bench")


def empty() -> None:
    """Empty all tables and queues, and write out what that left, so that all begin alike."""
    [(tables,)] = rows_of(EXISTING, names=TABLES)
    rows_of(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    rows_of("SELECT pgmq.purge_queue(queue_name) FROM pgmq.list_queues()")
    settle_down()


def settle_down() -> None:
    """Let nobody pay for what was written before."""
    rows_of("VACUUM (ANALYZE) events, deliveries, attempts")
    rows_of("CHECKPOINT")


def rows_of(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """What a statement returns, if it returns rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
