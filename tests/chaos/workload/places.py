"""Where the workload's processes and the suite meet: files in the home of a run."""

from pathlib import Path


def ledger_file(home: Path, number: int) -> Path:
    """The ledger of a publisher."""
    return home / f"ledger-{number}.jsonl"


def calls_file(home: Path) -> Path:
    """What the service outside has been asked for."""
    return home / "calls.jsonl"


def poison_file(home: Path) -> Path:
    """Which processes a poisoned parcel has killed."""
    return home / "poison.jsonl"


def doubling_switch(home: Path) -> Path:
    """Every message is sent twice while this file exists."""
    return home / "send-every-nudge-twice"
