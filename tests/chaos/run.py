"""One run: rounds of faults under load, quiet, an audit; again until all rounds are done."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.audit import Violation, audit, count_what_happened
from tests.chaos.invariants import SETTLED
from tests.chaos.nemesis import Nemesis
from tests.chaos.stage import Load, Stage, staged
from tests.chaos.workload.places import calls_file

# Within so many seconds after the last fault everything is to be settled.
PROMISED = 30.0
# What is not settled then gets so many more, to tell what is late from what is stuck.
PATIENCE = 60.0
TICK = 0.1
UNSETTLED = """
    SELECT (SELECT count(*) FROM events WHERE status = 'pending') + (SELECT count(*) FROM journal)
         + (SELECT count(*) FROM replays WHERE status = 'running')
"""
Say = Callable[[str], object]


@dataclass(frozen=True)
class Plan:
    """What a run is to do.

    Attributes:
        broker: "pgmq" or "redis".
        rounds: how many faults.
        seed: decides them and their moments.
        name: of the run's home and database, by default the broker's.
        epoch: after so many rounds come quiet and an audit.
        pause: seconds between two faults, on average.
        longest: seconds that no harm outlasts.
        promised: seconds after the last harm within which everything is to be settled.
    """

    broker: str
    rounds: int
    seed: int
    name: str = ""
    epoch: int = 25
    pause: float = 1.5
    longest: float = 60.0
    promised: float = PROMISED
    load: Load = field(default_factory=Load)


@dataclass
class Verdict:
    """What a run found.

    Attributes:
        faults: how often each was done.
        counts: what the publishers, the handlers and the service outside did, by name.
        settled_after: seconds from the end of the last harm until all was settled, by epoch.
        deaths: name → how often a process ended though nobody had killed it.
        diary: what was done when.
    """

    violations: list[Violation] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    settled_after: list[float] = field(default_factory=list)
    deaths: Counter[str] = field(default_factory=Counter)
    diary: list[str] = field(default_factory=list)


def run(plan: Plan, root: Path, say: Say) -> Verdict:
    """Carry out a plan; ends after the first epoch with a violation.

    Args:
        root: a prepared home; the run leaves its files there.
        say: told what happens.
    """
    random = Random(f"{plan.broker} {plan.seed}")
    verdict = Verdict()
    with staged(root, plan.name or plan.broker, plan.broker, plan.load, random) as stage:
        nemesis = Nemesis(stage, random, plan.pause, plan.longest)
        verdict.faults, verdict.diary = nemesis.faults, nemesis.diary
        while (done := nemesis.faults.total()) < plan.rounds and not verdict.violations:
            for number in range(done, min(done + plan.epoch, plan.rounds)):
                say(f"{plan.broker} {number + 1}/{plan.rounds}: {nemesis.strike()}")
            verdict.settled_after.append(_settle(stage, plan.promised, nemesis.rest(), verdict))
            verdict.violations += _audit(stage)
            verdict.counts = count_what_happened(stage.postgres.url, calls_file(stage.home))
            say(f"{plan.broker}: settled after {verdict.settled_after[-1]:.1f} s")
            verdict.deaths = +(stage.services.deaths + stage.publishers.deaths)
            stage.publishers.start()
    return verdict


def _settle(stage: Stage, promised: float, since: float, verdict: Verdict) -> float:
    """Let nobody publish any more, and wait until all is settled; returns how long it took."""
    stage.publishers.end()
    left = _wait_for_quiet(stage, since + promised)
    if left:
        late = Violation(SETTLED, left, [f"This many are not settled after {promised:g} s."])
        verdict.violations.append(late)
        _wait_for_quiet(stage, since + promised + PATIENCE)
    return time.monotonic() - since


def _wait_for_quiet(stage: Stage, until: float) -> int:
    """Wait for the last event; returns how many are left at that time."""
    while (left := int(stage.query(UNSETTLED)[0][0])) and time.monotonic() < until:
        stage.services.tend()
        time.sleep(TICK)
    return left


def _audit(stage: Stage) -> list[Violation]:
    ledgers = sorted(stage.home.glob("ledger-*.jsonl"))
    return audit(stage.postgres.url, ledgers, calls_file(stage.home))
