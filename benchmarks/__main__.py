"""Measure SalesFlow's engine beside its peers.

python -m benchmarks full                 everything; writes results.json and docs/benchmarks.md
python -m benchmarks quick                less of everything; writes results.json
python -m benchmarks report               docs/benchmarks.md anew from results.json
python -m benchmarks bulk --events 20000 --only salesflow,limit
python -m benchmarks paced --events 200 --only salesflow,task_per_event     latency
python -m benchmarks replay --events 10000                                  or another part
python -m benchmarks console              the console's pages; writes results-console.json and
                                          docs/benchmarks.md
python -m benchmarks sequences            due steps a second; writes nothing
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import django

from benchmarks.console.stage import environment_of, open_home
from benchmarks.peers.peer import Broker, Mode
from benchmarks.processes import ProcessFailed
from benchmarks.sequences.commands import measure_sequences
from benchmarks.stage import Stage, open_stage
from salesflow.home import HomeError

SUITES = ["full", "quick", "report"]
PARTS = ["replay", "fairness", "memory", "no-op"]
CONSOLE = "console"
SEQUENCES = "sequences"


def main() -> int:
    """Do what the command line says; 1 when a peer lost or doubled something."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    if arguments.what == CONSOLE:
        return _measure_console(arguments)
    try:
        if arguments.what == SEQUENCES:
            measure_sequences(arguments)
            return 0
        with open_stage() as stage:
            return _carry_out(arguments, stage)
    except HomeError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _carry_out(arguments: argparse.Namespace, stage: Stage) -> int:
    os.environ.update(stage.environment(Broker.PGMQ))
    django.setup()
    # These need Django's models.
    from benchmarks.commands import carry_out
    from benchmarks.counting import Miscount
    from benchmarks.peers import UnknownPeer

    try:
        carry_out(arguments, stage)
    except (Miscount, ProcessFailed, UnknownPeer) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _measure_console(arguments: argparse.Namespace) -> int:
    try:
        with open_home(arguments.home) as home:
            os.environ.update(environment_of(home))
            django.setup()
            from benchmarks.console.commands import measure_console

            return measure_console(arguments, home)
    except (HomeError, ProcessFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "what",
        choices=[*SUITES, *Mode, *PARTS, CONSOLE, SEQUENCES],
        help="a suite, a way to publish, or a part",
    )
    add("--events", type=int, default=20000, help="how many (20000)")
    add("--only", default="salesflow,limit", help="peers, with commas (salesflow,limit)")
    add("--broker", choices=list(Broker), default=Broker.PGMQ, help="what carries messages (pgmq)")
    add("--rounds", type=int, default=1, help="how often, one peer after the other (1)")
    add("--profile", type=Path, metavar="DIR", help="profile the processes, which slows them down")
    _add_console(parser.add_argument_group("console"))
    _add_sequences(parser.add_argument_group("sequences"))
    return parser


def _add_console(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--small", type=int, default=50_000, help="events of the log beside it (50000)")
    add("--requests", type=int, default=40, help="of each page, at each log (40)")
    add("--pages", default="", metavar="TEXT", help="only those with this in their name")
    add("--home", type=Path, metavar="DIR", help="keep the databases there, or use those that are")


def _add_sequences(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--people", type=int, default=3000, help="of whom all are due at once (3000)")
    add("--limit", type=int, default=300, help="people of one transaction (300)")
    add("--workers", type=int, default=1, help="processes that execute at once (1)")


if __name__ == "__main__":
    sys.exit(main())
