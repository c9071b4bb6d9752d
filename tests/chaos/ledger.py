"""The ledger: what publishers began and know to be committed, kept outside the database.

A transaction is noted before it begins and again when its outcome is known. Where that second line
is missing, the publisher was killed meanwhile and nobody can say: the audit then asks only that it
was all or nothing. (Source of the idea: histories of invocations and completions in Jepsen.)
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4


class Outcome(StrEnum):
    """What a publisher knows of its transaction."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    UNKNOWN = "unknown"


class Parcel(NamedTuple):
    """A business row as its publisher made it."""

    id: str
    tenant_id: str
    kind: str
    fate: str
    series_id: str
    number: int


@dataclass(frozen=True)
class Entry:
    """A transaction.

    Attributes:
        error: what the publisher was told when it did not commit, else empty.
    """

    transaction: str
    parcels: list[Parcel]
    outcome: Outcome
    error: str


class Ledger:
    """A publisher's pen."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def begin(self, parcels: Sequence[Parcel]) -> str:
        """Note what is about to be written; returns the transaction's name."""
        transaction = uuid4().hex
        self._write({"transaction": transaction, "parcels": parcels})
        return transaction

    def end(self, transaction: str, outcome: Outcome, error: str = "") -> None:
        """Note what came of it."""
        self._write({"transaction": transaction, "outcome": outcome, "error": error})

    def note_replay(self, parcel_id: str) -> None:
        """Note that a failed parcel was mended, and its replay accepted."""
        self._write({"replayed": parcel_id})

    def _write(self, line: dict[str, object]) -> None:
        """Hand it to the kernel in one write: from then on it survives a SIGKILL."""
        os.write(self._descriptor, f"\n{json.dumps(line)}\n".encode())


def read_ledgers(paths: Iterable[Path]) -> list[Entry]:
    """All transactions of several publishers."""
    begun: dict[str, list[Parcel]] = {}
    ended: dict[str, tuple[Outcome, str]] = {}
    for line in read_lines(paths):
        if "parcels" in line:
            begun[line["transaction"]] = [Parcel(*values) for values in line["parcels"]]
        elif "outcome" in line:
            ended[line["transaction"]] = Outcome(line["outcome"]), line["error"]
    return [
        Entry(transaction, parcels, *ended.get(transaction, (Outcome.UNKNOWN, "")))
        for transaction, parcels in begun.items()
    ]


def read_replays(paths: Iterable[Path]) -> set[str]:
    """The parcels whose replays were accepted."""
    return {line["replayed"] for line in read_lines(paths) if "replayed" in line}


def read_lines(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The objects in files of JSON lines; a line that its writer's death cut short is left out."""
    for path in paths:
        for line in path.read_text().splitlines():
            if line.startswith("{") and line.endswith("}"):
                yield json.loads(line)
