"""What an import tells: what it refused, what it did, and every row that it has something to say
about."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

ERROR_COLUMNS = ("row", "column", "value", "reason", "imported")


class ImportRefused(Exception):
    """The whole file cannot be imported; the message is one sentence that says why."""


@dataclass(frozen=True)
class Problem:
    """Something wrong with one row.

    Attributes:
        row: its number as a spreadsheet shows it; the header is row 1.
        column: the column's name in the file.
        imported: whether the lead landed all the same, without that value.
    """

    row: int
    column: str
    value: str
    reason: str
    imported: bool


@dataclass
class ImportReport:
    """What an import did, or would do when it is a dry run.

    Attributes:
        request_id: is on every event of the import.
        rejected: rows left out; each has a problem that is not imported.
        won_value: the won deals' value by currency.
        notes: sentences about the file as a whole, such as which stages were added.
    """

    request_id: str = ""
    encoding: str = ""
    delimiter: str = ""
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    won_value: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False

    @property
    def warnings(self) -> int:
        """How many problems did not keep their row out."""
        return sum(problem.imported for problem in self.problems)

    def warn(self, row: int, column: str, value: str, reason: str) -> None:
        """Tell that a row landed without one of its values."""
        self.problems.append(Problem(row, column, value, reason, imported=True))

    def reject(self, row: int, column: str, value: str, reason: str) -> None:
        """Tell why a row is left out; several reasons may be given for one row."""
        self.problems.append(Problem(row, column, value, reason, imported=False))

    def count(self, outcome: str, value: Decimal | None, currency: str) -> None:
        """Count a lead that the file has, created now or before."""
        self.outcomes[outcome] += 1
        if outcome == "won":
            self.won_value[currency] += value or 0  # type: ignore[assignment]

    def as_json(self) -> dict[str, Any]:
        """The summary without the problems, for programs."""
        return {
            "request_id": self.request_id,
            "dry_run": self.dry_run,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": self.rejected,
            "warnings": self.warnings,
            "open": self.outcomes["open"],
            "won": self.outcomes["won"],
            "lost": self.outcomes["lost"],
            "won_value": {code: str(total) for code, total in sorted(self.won_value.items())},
            "notes": self.notes,
        }


def write_problems(problems: list[Problem], path: Path) -> None:
    """Write the problems as CSV in the order of their rows.

    Raises:
        OSError: the file cannot be written.
    """
    # The byte order mark makes Excel read UTF-8.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(ERROR_COLUMNS)
        for problem in sorted(problems, key=lambda problem: problem.row):
            writer.writerow(
                [
                    problem.row,
                    _harmless(problem.column),
                    _harmless(problem.value),
                    problem.reason,
                    "yes" if problem.imported else "no",
                ]
            )


def _harmless(cell: str) -> str:
    """The cell so that no spreadsheet runs it as a formula.

    Source: OWASP, “CSV Injection”.
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
