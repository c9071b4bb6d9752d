"""A PostgreSQL cluster for each test session: made on start, deleted at the end.

Sessions may run side by side. What a killed session left behind is removed by the next one.
The settings import this module before pytest does, hence: PYTEST_DONT_REWRITE.
"""

import atexit
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import pytest

from salesflow.home import lock_now, open_lock
from salesflow.postgres import Cluster, app_url

PREFIX = "salesflow-tests-"
session = contextlib.ExitStack()


def claim_home() -> Path:
    """Give this session a home directory of its own and point the settings to it."""
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    home.chmod(0o711)
    os.environ["SALESFLOW_HOME"] = str(home)
    os.environ["SALESFLOW_DATABASE_URL"] = app_url(home)
    session.callback(shutil.rmtree, home, ignore_errors=True)
    atexit.register(session.close)  # also when pytest fails before it is configured
    return home


def pytest_configure() -> None:
    """Start the cluster."""
    signal.signal(signal.SIGTERM, _interrupt)
    _remove_abandoned_clusters()
    session.enter_context(Cluster(Path(os.environ["SALESFLOW_HOME"]), throwaway=True).attached())


def pytest_unconfigure() -> None:
    """Stop and delete the cluster, once nobody has anything left to write there."""
    if written := sys.modules.get("events.tallies"):
        written.tallies.flush(is_last=True)
        written.tallies.disconnect()
    session.close()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _remove_abandoned_clusters() -> None:
    # A session that is just starting makes its data only when it holds the lock.
    for data in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/postgres"):
        home = data.parent
        with contextlib.suppress(OSError), open_lock(home / "postgres.users") as users:
            if lock_now(users):
                Cluster(home, throwaway=True).stop()
                shutil.rmtree(home, ignore_errors=True)


def database_url_of_tests() -> str:
    """Return the URL of the database that pytest-django makes in this session's cluster."""
    return os.environ["SALESFLOW_DATABASE_URL"].replace("/salesflow?", "/test_salesflow?")


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Keep the database's name in sessions that run side by side: each has its own cluster."""


@pytest.fixture
def service_environment(transactional_db: None) -> dict[str, str]:
    """Return the environment for a real process (worker, web server) on the test database."""
    return {**os.environ, "SALESFLOW_DATABASE_URL": database_url_of_tests()}
