"""What processes print while the broker is away: enough, and no more."""

import logging
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import redis as client
from kombu.exceptions import OperationalError

from salesflow.celery import app
from salesflow.home import PROJECT
from salesflow.logs import OutageFilter
from tests.journeys.processes import Redis, free_port
from tests.setup.conftest import environment_of
from tests.waiting import wait_until


class DeadBroker:
    """Hangs up on everybody who calls a port, and counts them."""

    def __init__(self, port: int) -> None:
        self.callers = 0
        self._listener = socket.create_server(("127.0.0.1", port))
        Thread(target=self._hang_up, daemon=True).start()

    def _hang_up(self) -> None:
        while True:
            caller, _address = self._listener.accept()
            self.callers += 1
            caller.close()


@pytest.fixture
def redis() -> Iterator[Redis]:
    redis = Redis()
    redis.start()
    yield redis
    redis.stop()


@pytest.mark.journey
@pytest.mark.redis
@pytest.mark.skipif(
    not shutil.which("redis-server"), reason="needs Redis: apt-get install redis-server"
)
def test_scheduler_complains_in_one_line_not_at_every_tick(home: Path, redis: Redis) -> None:
    more = {"SALESFLOW_BROKER_URL": redis.url, "SALESFLOW_SWEEP_INTERVAL": "0.1"}
    with (home / "log").open("wb") as log:
        beat = subprocess.Popen(
            [sys.executable, "-m", "celery", "--quiet", "-A", "salesflow", "beat", "--pidfile="],
            env=environment_of(home, **more),
            cwd=PROJECT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            broker = client.Redis(port=redis.port)
            wait_until(lambda: broker.llen("sweeps"), "the scheduler has sent something", 60)
            redis.stop()
            dead = DeadBroker(redis.port)
            wait_until(lambda: dead.callers >= 20, "the scheduler has tried several times", 60)
        finally:
            beat.terminate()
            beat.wait(30)
    [complaint] = [line for line in (home / "log").read_text().splitlines() if line]
    # Whichever of its tasks is the first to meet it.
    assert "broker_away: Couldn't apply scheduled task" in complaint


def test_worker_looks_often_whether_the_broker_is_back() -> None:
    waits: list[float] = []
    connection = app.connection_for_read(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(OperationalError):
        connection.ensure_connection(lambda _error, wait: waits.append(wait), max_retries=5)
    assert waits
    assert max(waits) <= 2


def test_collector_that_is_away_is_mentioned_once_and_other_warnings_each_time() -> None:
    outages = OutageFilter()

    def printed(logger: str) -> list[bool]:
        record = logging.makeLogRecord({"name": logger, "msg": "Transient error", "levelno": 30})
        return [outages.filter(record) for _ in range(3)]

    assert printed("opentelemetry.exporter.otlp") == [True, False, False]
    assert printed("leads.services") == [True, True, True]
