"""python -m benchmarks: measure peers side by side, print the figures.

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
from benchmarks.stage import Stage, open_stage


def main() -> int:
    """Measure what the command line says; 1 when a peer lost or doubled something."""
    arguments = _parser().parse_args()
    if arguments.profile:
        arguments.profile = arguments.profile.absolute()
        arguments.profile.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, _interrupt)
    with open_stage() as stage:
        os.environ.update(stage.environment(Broker.PGMQ))
        django.setup()
        from benchmarks.counting import Miscount
        from benchmarks.database import prepare
        from benchmarks.processes import ProcessFailed

        prepare()
        try:
            _measure(stage, arguments)
        except (Miscount, ProcessFailed) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("mode", choices=list(Mode), help="how events are published")
    add("--events", type=int, default=20000, help="how many (20000)")
    add("--only", default="salesflow,limit", help="peers, with commas (salesflow,limit)")
    add("--broker", choices=list(Broker), default=Broker.PGMQ, help="what carries messages (pgmq)")
    add("--rounds", type=int, default=1, help="how often, one peer after the other (1)")
    add("--profile", type=Path, metavar="DIR", help="profile the processes, which slows them down")
    return parser


def _measure(stage: Stage, arguments: argparse.Namespace) -> None:
    from benchmarks.peers import peer_named
    from benchmarks.profiling import print_profile
    from benchmarks.throughput import measure_throughput

    mode = Mode(arguments.mode)
    for _round in range(arguments.rounds):
        for name in arguments.only.split(","):
            peer = peer_named(name)
            broker = Broker(arguments.broker)
            broker = broker if broker in peer.brokers else peer.brokers[0]
            figure = measure_throughput(
                stage, name, mode, broker, arguments.events, profiles=arguments.profile
            )
            _say(
                f"{peer.title:<28} {mode:<9} {broker:<5} {figure.events:>9,} events"
                f" {figure.seconds:>8.2f} s (publishing {figure.publish_seconds:.2f} s)"
                f" {figure.per_second:>9,.0f} events/s"
            )
            for statistics in sorted(arguments.profile.glob("*.prof")) if arguments.profile else ():
                print_profile(statistics)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
