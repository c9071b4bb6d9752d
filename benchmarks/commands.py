"""What `python -m benchmarks` can do."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.database import prepare
from benchmarks.fairness import measure_fairness
from benchmarks.findings import Finding
from benchmarks.latency import measure_latency, measure_no_op_latency
from benchmarks.memory import measure_memory
from benchmarks.peers import peer_named
from benchmarks.peers.peer import Broker, Mode
from benchmarks.plans import FULL, QUICK
from benchmarks.profiling import print_profile
from benchmarks.replay import measure_replay
from benchmarks.report import tables_of, write_page
from benchmarks.results import RESULTS, results_of, save
from benchmarks.stage import Stage
from benchmarks.suite import run
from benchmarks.throughput import measure_throughput

PLANS = {"full": FULL, "quick": QUICK}
# What only this engine is measured in, with the number of events.
PARTS: dict[str, Callable[[Stage, Broker, int], Finding]] = {
    "replay": measure_replay,
    "fairness": measure_fairness,
    "memory": measure_memory,
    "no-op": measure_no_op_latency,
}


def carry_out(arguments: argparse.Namespace, stage: Stage) -> None:
    """Measure or report, as the command line says."""
    if arguments.what == "report":
        write_page(json.loads(RESULTS.read_text()))
        return
    prepare()
    if arguments.what in PLANS:
        _run_suite(arguments.what, stage)
    elif arguments.what in PARTS:
        found = PARTS[arguments.what](stage, Broker(arguments.broker), arguments.events)
        say(f"{arguments.what:<12} {arguments.broker:<5} {found.figure}\n")
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
        broker = broker if broker in peer.brokers else peer.brokers[0]
        say(f"{peer.title:<28} {arguments.what:<9} {broker:<5} {arguments.events:>9,} events")
        say(f" {_measure_one(arguments, stage, name, broker)}\n")
        for statistics in sorted(arguments.profile.glob("*.prof")) if arguments.profile else ():
            print_profile(statistics)


def _measure_one(arguments: argparse.Namespace, stage: Stage, name: str, broker: Broker) -> str:
    mode, events = Mode(arguments.what), arguments.events
    if mode == Mode.PACED:
        return measure_latency(stage, name, broker, events).figure
    profiles = _profiles(arguments.profile)
    found = measure_throughput(stage, name, mode, broker, events, profiles=profiles)
    times = f"{found.seconds:.2f} s (publishing {found.publish_seconds:.2f} s)"
    return f"{times:<31} {found.figure:>18}"


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
