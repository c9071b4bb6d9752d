"""`make run AI=local`: a model beside the site, which comes and goes with it."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from channels.autopilot import local_model
from tests.autopilot.local import HOW_TO_INSTALL
from tests.setup.conftest import processes_of
from tests.setup.test_supervisor import Terminal

pytestmark = [
    pytest.mark.journey,
    pytest.mark.local_model,
    pytest.mark.skipif(bool(local_model.why_not()), reason=HOW_TO_INSTALL),
]


@pytest.fixture
def terminal(port: int) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory(prefix="salesflow-site-") as site:
        terminal = Terminal(Path(site), port, SALESFLOW_AI="local")
        yield terminal
        if terminal.process.poll() is None:
            terminal.end(signal.SIGTERM)
        assert terminal.process.stdout is not None
        terminal.process.stdout.close()


def test_model_comes_and_goes_with_the_site(terminal: Terminal) -> None:
    terminal.expect(f"{local_model.MODEL} answers at http://127.0.0.1:")
    terminal.expect("SalesFlow is ready")
    assert terminal.end(signal.SIGINT) == 0
    assert processes_of(terminal.home) == []


def test_death_of_the_model_is_named(terminal: Terminal) -> None:
    terminal.expect(f"{local_model.MODEL} answers at")
    [model] = [
        process
        for process in psutil.Process(terminal.process.pid).children()
        if "channels.autopilot.local_model" in process.cmdline()
    ]
    # As the kernel does to whoever takes too much memory.
    model.kill()
    assert terminal.wait() == 1
    assert "model died with SIGKILL" in terminal.printed
    assert processes_of(terminal.home) == []
