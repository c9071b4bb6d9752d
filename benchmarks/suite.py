"""Carries a plan out: everything in one run, on one database and one Redis."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.fairness import measure_fairness
from benchmarks.findings import Finding, Findings
from benchmarks.history import measure_on_history
from benchmarks.latency import measure_latency, measure_no_op_latency
from benchmarks.memory import measure_memory
from benchmarks.peers import peer_named
from benchmarks.peers.peer import Broker
from benchmarks.plans import Plan
from benchmarks.replay import measure_replay
from benchmarks.stage import Stage
from benchmarks.throughput import measure_throughput

# Tables of this size are filled anew for each round: a round would make them noticeably longer.
SMALL = 100_000
TITLE_WIDTH = 68

Say = Callable[[str], object]


@dataclass(frozen=True)
class Step:
    """One measurement, and its name for people."""

    title: str
    measure: Callable[[Stage], Finding]


def run(plan: Plan, stage: Stage, say: Say) -> Findings:
    """Measure all of it.

    Args:
        say: called with pieces of text that tell how far it is.

    Raises:
        Miscount: an event was lost or doubled.
        ProcessFailed: a process died.
    """
    findings, started = Findings(plan.kind), time.monotonic()
    steps = steps_of(plan)
    for number, step in enumerate(steps, start=1):
        say(f"[{number:>{len(str(len(steps)))}}/{len(steps)}] {step.title:<{TITLE_WIDTH}}")
        found = step.measure(stage)
        findings.found.append(found)
        say(f" {found.figure}\n")
    findings.seconds = time.monotonic() - started
    return findings


def steps_of(plan: Plan) -> list[Step]:
    """All measurements of a plan; what fills the tables most comes last."""
    rounds = [step for _round in range(plan.rounds) for step in _throughputs(plan)]
    return [*rounds, *_latencies(plan), *_others(plan), *_histories(plan)]


def _throughputs(plan: Plan) -> list[Step]:
    return [
        Step(
            f"{peer_named(series.peer).title}: {series.events:,} {series.mode} on {broker}",
            partial(
                measure_throughput,
                name=series.peer,
                mode=series.mode,
                broker=broker,
                events=series.events,
            ),
        )
        for series in plan.series
        for broker in series.brokers
    ]


def _latencies(plan: Plan) -> list[Step]:
    steps = []
    for broker in plan.latency_brokers:
        for name in ("salesflow", "task_per_event"):
            measure = partial(measure_latency, name=name, broker=broker, events=plan.latency)
            steps.append(Step(f"{peer_named(name).title}: latency on {broker}", measure))
        no_op = partial(measure_no_op_latency, broker=broker, events=plan.latency)
        steps.append(Step(f"Celery, a task that does nothing: latency on {broker}", no_op))
    return steps


def _others(plan: Plan) -> list[Step]:
    pgmq = Broker.PGMQ
    steps = [
        Step(
            f"SalesFlow: replay of {plan.replay:,} failed events",
            partial(measure_replay, broker=pgmq, events=plan.replay),
        ),
        Step(
            f"SalesFlow: latency of one tenant behind {plan.backlog:,} events of another",
            partial(measure_fairness, broker=pgmq, backlog=plan.backlog),
        ),
    ]
    if plan.memory:
        measure = partial(measure_memory, broker=pgmq, events=plan.memory)
        steps.append(Step(f"SalesFlow: memory over {plan.memory:,} events", measure))
    return steps


def _histories(plan: Plan) -> list[Step]:
    return [
        Step(
            f"SalesFlow: {plan.depth_events:,} bulk on top of {depth:,} settled ones",
            partial(
                measure_on_history,
                broker=Broker.PGMQ,
                settled=depth,
                events=plan.depth_events,
                refill=number == 0 or depth <= SMALL,
            ),
        )
        for depth in plan.depths
        for number in range(plan.rounds)
    ]
