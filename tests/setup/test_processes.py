"""Children and what a killed supervisor leaves of them."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from salesflow.processes import Child, end_leftovers, record_children
from tests.setup.conftest import wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = [
    sys.executable,
    "-c",
    "import os, signal, time\n"
    "child = os.fork()\n"
    "if child: print(child, flush=True); signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
    "else: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "time.sleep(60)",
]


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child("sleeper", SLEEPER, grace=5)
    child.start()
    yield child
    child.ask_to_stop()
    child.finish()


@pytest.fixture
def record(home: Path, child: Child) -> Path:
    record = home / "processes.json"
    record_children(record, [child])
    return record


def test_leftover_is_ended(child: Child, record: Path) -> None:
    assert end_leftovers(record) == 1
    assert child.ended_how() is not None
    assert not record.exists()


@pytest.mark.parametrize("change", [{"created": 1e12}, {"command": ["something", "else"]}])
def test_process_that_only_got_the_same_id_is_left_alone(
    child: Child, record: Path, change: dict[str, object]
) -> None:
    [row] = json.loads(record.read_text())
    record.write_text(json.dumps([row | change]))
    assert end_leftovers(record) == 0
    assert child.ended_how() is None


def test_no_record_and_a_broken_one_mean_no_leftovers(home: Path) -> None:
    assert end_leftovers(home / "processes.json") == 0
    (home / "processes.json").write_text("{")
    assert end_leftovers(home / "processes.json") == 0


def test_end_of_a_child_is_the_end_of_its_whole_group() -> None:
    child = Child("parent", PARENT, grace=5)
    child.start()
    lines: list[str] = []

    def is_told() -> bool:
        lines.extend(child.read_lines())
        return bool(lines)

    wait_until(is_told)
    stubborn = psutil.Process(int(lines[0]))
    child.ask_to_stop()
    child.grace = 0.2
    child.finish()
    wait_until(lambda: not stubborn.is_running() or stubborn.status() == psutil.STATUS_ZOMBIE)


def test_child_that_ignores_the_request_is_killed() -> None:
    ignoring = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    child = Child("stubborn", [sys.executable, "-c", f"{ignoring}; time.sleep(60)"], grace=0.2)
    child.start()
    wait_until(lambda: child.read_lines() == ["1"])
    child.ask_to_stop()
    child.finish()
    assert child.ended_how() == "SIGKILL"


def test_lines_come_whole_though_they_are_written_in_parts() -> None:
    script = "import os, time; os.write(1, b'a b'); time.sleep(0.2); os.write(1, b' c\\nd')"
    child = Child("writer", [sys.executable, "-c", script])
    child.start()
    lines: list[str] = []

    def is_over() -> bool:
        lines.extend(child.read_lines())
        return child.ended_how() is not None

    wait_until(is_over)
    lines += child.read_lines()
    child.finish()
    assert lines == ["a b c"]
