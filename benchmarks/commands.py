"""What `python -m benchmarks` can do."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.database import prepare
from benchmarks.peers import peer_named
from benchmarks.peers.peer import Broker, Mode
from benchmarks.plans import FULL, QUICK
from benchmarks.profiling import print_profile
from benchmarks.report import tables_of, write_page
from benchmarks.results import RESULTS, results_of, save
from benchmarks.stage import Stage
from benchmarks.suite import run
from benchmarks.throughput import measure_throughput

PLANS = {"full": FULL, "quick": QUICK}


def carry_out(arguments: argparse.Namespace, stage: Stage) -> None:
    """Measure or report, as the command line says."""
    if arguments.what == "report":
        write_page(json.loads(RESULTS.read_text()))
        return
    prepare()
    if arguments.what in PLANS:
        _run_suite(arguments.what, stage)
    else:
        _measure_some(arguments, stage)


def _run_suite(name: str, stage: Stage) -> None:
    results = results_of(run(PLANS[name], stage, say), stage)
    save(results)
    say(f"\n{tables_of(results)}\nWritten to {RESULTS}\n")
    if name == "full":
        write_page(results)


def _measure_some(arguments: argparse.Namespace, stage: Stage) -> None:
    for name in arguments.only.split(",") * arguments.rounds:
        peer, broker = peer_named(name), Broker(arguments.broker)
        found = measure_throughput(
            stage,
            name,
            Mode(arguments.what),
            broker if broker in peer.brokers else peer.brokers[0],
            arguments.events,
            profiles=_profiles(arguments.profile),
        )
        say(
            f"{peer.title:<28} {found.mode:<9} {found.broker:<5} {found.events:>9,} events"
            f" {found.seconds:>8.2f} s (publishing {found.publish_seconds:.2f} s)"
            f" {found.per_second:>9,.0f} events/s\n"
        )
        for statistics in sorted(arguments.profile.glob("*.prof")) if arguments.profile else ():
            print_profile(statistics)


def _profiles(directory: Path | None) -> Path | None:
    """The directory for profiles, made if it is missing."""
    if directory is None:
        return None
    directory.mkdir(parents=True, exist_ok=True)
    return directory.absolute()


def say(text: str) -> None:
    """Print at once, also into a file."""
    sys.stdout.write(text)
    sys.stdout.flush()
