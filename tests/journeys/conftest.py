"""Processes of which a journey needs one or two, not the whole of SalesFlow."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from tests.journeys.processes import free_port
from tests.waiting import wait_until


@pytest.fixture
def web(service_environment: dict[str, str]) -> Iterator[str]:
    """The address of a real web server with two processes."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "salesflow.wsgi", "--no-control-socket"]
    options = ["--preload", "--workers=2", "--threads=2", f"--bind=127.0.0.1:{port}"]
    process = subprocess.Popen([*command, *options], env=service_environment)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _answers(f"{address}/healthz"), "the web server answers", 60)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
