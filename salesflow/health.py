"""What probes and monitoring ask."""

from functools import cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST

from salesflow.prometheus import page


def alive(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and is migrated, else 503 and what is missing.

    A broker that is away does not count: publishing goes on without it.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        problem = "" if _is_migrated() else "migrations are pending: run manage.py migrate"
    except DatabaseError:
        problem = "the database does not answer"
    status: dict[str, Any] = {"status": "unavailable" if problem else "ok"}
    return JsonResponse(
        status | ({"problem": problem} if problem else {}), status=503 if problem else 200
    )


def _is_migrated() -> bool:
    return _ran_all_migrations() or _forget_and_fail()


@cache
def _ran_all_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _forget_and_fail() -> bool:
    # Only "yes" stays true; "no" is asked again.
    _ran_all_migrations.cache_clear()
    return False


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for this machine, or for whoever knows `SALESFLOW_METRICS_TOKEN`."""
    if not _may_read_metrics(request):
        return HttpResponse(status=403)
    return HttpResponse(page(), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    expected = f"Bearer {settings.METRICS_TOKEN}"
    if settings.METRICS_TOKEN:
        return constant_time_compare(request.headers.get("Authorization", ""), expected)
    return request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1", ""}
