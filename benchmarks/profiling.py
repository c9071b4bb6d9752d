"""Where the time goes: a measurement whose publisher and workers run under cProfile."""

import pstats
import sys
from pathlib import Path

ROWS = 30


def profiled(command: list[str], statistics: Path) -> list[str]:
    """The command, under the profiler; a Celery worker works in its main process then."""
    python, *arguments = command
    solo = ["--pool", "solo"] if "celery" in command and "worker" in command else []
    return [python, "-m", "cProfile", "-o", str(statistics), *arguments, *solo]


def print_profile(statistics: Path) -> None:
    """Print what took longest."""
    sys.stdout.write(f"\n{statistics}\n")
    pstats.Stats(str(statistics)).strip_dirs().sort_stats("tottime").print_stats(ROWS)
