"""Pruning that nobody asks for: daily, a slice at a time; results of long jobs alike."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.beat import PersistentScheduler
from django.utils import timezone
from django_celery_results.models import TaskResult

from events import pruning
from events.models import Event
from salesflow.accounts.models import Tenant
from salesflow.celery import app
from tests.events.factories import make_event
from tests.events.test_prune import make_settled
from tests.waiting import wait_until

PRINT_SCHEDULE = "from django.conf import settings; print(*settings.CELERY_BEAT_SCHEDULE)"
LONG_AGO = timedelta(days=100)


def make_old(count: int) -> None:
    make_settled(count, days=LONG_AGO.days, function=lambda event: None)


@pytest.fixture
def service_environment(service_environment: dict[str, str]) -> dict[str, str]:
    """That of a site that keeps events for 90 days."""
    return {**service_environment, "SALESFLOW_EVENT_RETENTION_DAYS": "90"}


@pytest.mark.django_db
def test_events_are_kept_for_ever_by_default(tenant: Tenant) -> None:
    make_old(1)
    assert pruning.prune_slice() == pruning.Pruned()
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_old_events_go_where_a_retention_is_set(tenant: Tenant, settings: Any) -> None:
    settings.EVENT_RETENTION_DAYS = LONG_AGO.days + 1
    make_old(2)
    assert pruning.prune_slice().events == 0
    settings.EVENT_RETENTION_DAYS = LONG_AGO.days - 1
    assert pruning.prune_slice().events == 2


@pytest.mark.parametrize(("days", "is_scheduled"), [("90", True), ("", False)])
def test_scheduler_prunes_only_where_a_retention_is_set(
    days: str, is_scheduled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESFLOW_EVENT_RETENTION_DAYS", days)
    command = [sys.executable, "manage.py", "shell", "--no-imports", "--command", PRINT_SCHEDULE]
    entries = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert ("prune-events" in entries) is is_scheduled


@pytest.mark.journey
def test_pruning_goes_on_in_a_worker_slice_by_slice_and_leaves_a_result(
    tenant: Tenant, settings: Any, worker: "subprocess.Popen[bytes]"
) -> None:
    make_old(pruning.BATCH + 1)
    settings.EVENT_RETENTION_DAYS = 90
    first = pruning.prune_slice(seconds=0)
    assert first.events == pruning.BATCH
    # The worker starts first, perhaps on a busy machine.
    wait_until(lambda: not Event.objects.exists(), "a worker pruned what the slice had left", 90)
    wait_until(TaskResult.objects.exists, "its result is written")
    result = TaskResult.objects.get()
    assert (result.task_name, result.status) == ("events.tasks.prune_events", "SUCCESS")
    assert result.result == '{"events": 1, "items": 0, "groups": 0}'


@pytest.mark.journey
def test_tasks_that_settle_keep_no_results(
    tenant: Tenant, worker: "subprocess.Popen[bytes]"
) -> None:
    event = make_event()
    settled = Event.unscoped.filter(pk=event.pk, processed_at__isnull=False)
    wait_until(settled.exists, "the event is settled")
    assert not TaskResult.objects.exists()


def test_scheduler_prunes_results(tmp_path: Path) -> None:
    scheduler = PersistentScheduler(app, schedule_filename=str(tmp_path / "schedule"))
    assert "celery.backend_cleanup" in scheduler.schedule
    scheduler.close()


@pytest.mark.django_db
def test_results_of_long_jobs_go_after_a_month() -> None:
    for task_id, days in (("old", 31), ("fresh", 29)):
        TaskResult.objects.create(task_id=task_id)
        moment = timezone.now() - timedelta(days=days)
        TaskResult.objects.filter(task_id=task_id).update(date_done=moment)
    app.tasks["celery.backend_cleanup"]()
    assert TaskResult.objects.get().task_id == "fresh"
