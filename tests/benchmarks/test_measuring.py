"""The benchmark runs: servers of its own, real workers, counted rows."""

import os
import shutil
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.journey,
    pytest.mark.redis,
    pytest.mark.skipif(
        not shutil.which("redis-server"), reason="needs Redis: apt-get install redis-server"
    ),
]


def test_engine_and_limit_are_measured_side_by_side() -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SALESFLOW_", "DJANGO_"))
    }
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "bulk", "--events", "1000"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    engine, limit = run.stdout.splitlines()
    assert engine.startswith("SalesFlow")
    assert limit.startswith("The limit")
    assert engine.endswith("events/s")
