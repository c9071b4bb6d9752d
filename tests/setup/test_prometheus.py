"""What several processes count is one page, whatever becomes of them."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from salesflow.prometheus import Counts, fold_ended

COUNTING = """
import sys
from prometheus_client import Counter, Gauge, Histogram

done = Counter("done", "What was done.", ["by"])
seconds = Histogram("seconds", "How long it took.", buckets=(1, 10))
level = Gauge("level", "How full it is.")
for _ in range(int(sys.argv[1])):
    done.labels("us").inc()
    seconds.observe(5)
level.set(7)
print("counted", flush=True)
sys.stdin.read()
"""


class Counting:
    """A process that has counted to a number, and lives until it is told to end."""

    def __init__(self, directory: Path, number: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", COUNTING, str(number)],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"counted\n"

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


def total(directory: Path, sample: str) -> float | None:
    """The sum that the page shows, over all processes."""
    samples = [found for metric in Counts(directory).collect() for found in metric.samples]
    values = [found.value for found in samples if found.name == sample]
    return sum(values) if values else None


def test_living_and_ended_processes_add_up(tmp_path: Path) -> None:
    living, ended = Counting(tmp_path, 3), Counting(tmp_path, 4)
    assert total(tmp_path, "done_total") == 7
    ended.kill()
    assert total(tmp_path, "done_total") == 7
    assert total(tmp_path, "seconds_sum") == 35
    assert total(tmp_path, "seconds_count") == 7
    living.kill()
    assert total(tmp_path, "done_total") == 7


def test_files_of_ended_processes_do_not_pile_up(tmp_path: Path) -> None:
    for _ in range(3):
        Counting(tmp_path, 2).kill()
    fold_ended(tmp_path)
    left = sorted(path.name for path in tmp_path.glob("*.db"))
    assert left == ["counter_ended.db", "histogram_ended.db"]
    assert total(tmp_path, "done_total") == 6


def test_gauge_of_an_ended_process_is_forgotten(tmp_path: Path) -> None:
    counting = Counting(tmp_path, 1)
    assert total(tmp_path, "level") == 7
    counting.kill()
    assert total(tmp_path, "level") is None


def test_many_readers_at_once_count_nothing_twice(tmp_path: Path) -> None:
    processes = [Counting(tmp_path, 5) for _ in range(3)]
    for process in processes:
        process.kill()
    with ThreadPoolExecutor(8) as readers:
        seen = list(readers.map(lambda _: total(tmp_path, "done_total"), range(40)))
    assert set(seen) == {15.0}


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff" * 100])
def test_file_that_was_left_half_written_does_no_harm(tmp_path: Path, content: bytes) -> None:
    Counting(tmp_path, 2).kill()
    (tmp_path / "counter_999999999.db").write_bytes(content)
    assert total(tmp_path, "done_total") == 2
