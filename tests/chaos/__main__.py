"""The command line: `python -m tests.chaos --rounds 300`."""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import Plan, Verdict, run
from tests.chaos.stage import BROKERS, Load, prepared_home


def main() -> int:
    """Run the suite on one broker or on both in turn; the exit status is 1 after a violation."""
    arguments = _arguments()
    root = Path(tempfile.mkdtemp(prefix="salesflow-chaos-"))
    root.chmod(0o711)
    say(f"Seed {arguments.seed}: the same seed draws the same faults (SEED={arguments.seed}).")
    brokers = arguments.broker or BROKERS
    plans = [
        Plan(
            broker,
            rounds=-(-arguments.rounds // len(brokers)),
            seed=arguments.seed,
            pause=arguments.pause,
            longest=arguments.longest,
            load=Load(pace=arguments.pace),
        )
        for broker in brokers
    ]
    with prepared_home(root):
        verdicts = [_run(plan, root) for plan in plans]
    if any(verdict.violations for verdict in verdicts):
        say(f"\nBroken. The ledgers and the logs are in {root}")
        return 1
    shutil.rmtree(root, ignore_errors=True)
    say("\nEverything that was promised held.")
    return 0


def say(text: str) -> None:
    """Print for people."""
    print(text, flush=True)  # noqa: T201


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="faults in all (300)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--pause", type=float, default=1.5, help="seconds between faults (1.5)")
    parser.add_argument(
        "--longest", type=float, default=60, help="seconds of the longest harm (60)"
    )
    parser.add_argument("--pace", type=float, default=6, help="transactions a second, twice (6)")
    parser.add_argument("--broker", action="append", choices=BROKERS, help="by default both")
    return parser.parse_args()


def _run(plan: Plan, root: Path) -> Verdict:
    verdict = run(plan, root, say)
    say(report(plan, verdict))
    return verdict


def report(plan: Plan, verdict: Verdict) -> str:
    """What a run did and found, for people."""
    lines = [f"\n{plan.broker}, seed {plan.seed}: {verdict.faults.total()} faults"]
    lines += [f"  {count:>8}  {name}" for name, count in sorted(verdict.faults.items())]
    lines += [f"  {count:>8}  {name}" for name, count in verdict.counts.items()]
    lines += [f"  {count:>8}  {name} ended by itself" for name, count in verdict.deaths.items()]
    slowest = max(verdict.settled_after, default=0.0)
    lines.append(f"  {slowest:>8.1f}  seconds until all was settled, at most")
    lines += [f"BROKEN: {violation}" for violation in verdict.violations]
    if verdict.violations:
        lines += ["What was done (seconds from the start):", *verdict.diary]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
