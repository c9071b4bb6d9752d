"""What every test may use."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from django.utils import translation

from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant

pytest_plugins = ["tests.cluster"]

# Markers of tests of which one alone takes a minute.
LONG = ("journey", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: at the end, no session waits for another's last."""
    long = {item.path for item in items if any(map(item.get_closest_marker, LONG))}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Pages that a test opens in another language leave that language behind in this thread."""
    with translation.override("en"):
        yield


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    """A tenant, set as the current one."""
    with tenant_context(make_tenant("acme", name="Acme")) as tenant:
        yield tenant


@pytest.fixture
def settle_events(transactional_db: None) -> Callable[[], int]:
    """Settles all pending events in this process; the test runs without a transaction around it."""
    from events.testing import settle_events

    return settle_events


@pytest.fixture
def worker(service_environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A real Celery worker with its scheduler, on the test database and its broker."""
    command = [sys.executable, "-m", "celery", "-A", "salesflow", "worker", "--beat"]
    options = [
        "--concurrency=2",
        "--queues=events,external,sweeps",
        "--without-gossip",
        "--loglevel=INFO",
    ]
    schedule = f"--schedule={os.environ['SALESFLOW_HOME']}/beat"
    process = subprocess.Popen([*command, *options, schedule], env=service_environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
