"""Measure SalesFlow's engine beside its peers.

python -m benchmarks full                 everything; writes results.json and docs/benchmarks.md
python -m benchmarks quick                less of everything; writes results.json
python -m benchmarks report               docs/benchmarks.md anew from results.json
python -m benchmarks bulk --events 20000 --only salesflow,limit
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import django

from benchmarks.peers.peer import Broker, Mode
from benchmarks.stage import open_stage

SUITES = ["full", "quick", "report"]


def main() -> int:
    """Do what the command line says; 1 when a peer lost or doubled something."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    with open_stage() as stage:
        os.environ.update(stage.environment(Broker.PGMQ))
        django.setup()
        # These need Django's models.
        from benchmarks import commands
        from benchmarks.counting import Miscount
        from benchmarks.peers import UnknownPeer
        from benchmarks.processes import ProcessFailed

        try:
            commands.carry_out(arguments, stage)
        except (Miscount, ProcessFailed, UnknownPeer) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    modes = [mode.value for mode in Mode if mode != Mode.PACED]
    add = parser.add_argument
    add("what", choices=[*SUITES, *modes], help="a suite, or how events are published")
    add("--events", type=int, default=20000, help="how many (20000)")
    add("--only", default="salesflow,limit", help="peers, with commas (salesflow,limit)")
    add("--broker", choices=list(Broker), default=Broker.PGMQ, help="what carries messages (pgmq)")
    add("--rounds", type=int, default=1, help="how often, one peer after the other (1)")
    add("--profile", type=Path, metavar="DIR", help="profile the processes, which slows them down")
    return parser


if __name__ == "__main__":
    sys.exit(main())
