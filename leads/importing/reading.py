"""Reads any CSV file: finds out its encoding and delimiter, and survives its broken rows."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path

from charset_normalizer import from_bytes
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from leads.importing.report import ImportRefused

SAMPLE = 64 * 1024
DELIMITERS = ",;\t|"
SIGNATURES = {
    b"\x89PNG": gettext_lazy("a PNG image"),
    b"\xff\xd8\xff": gettext_lazy("a JPEG image"),
    b"GIF8": gettext_lazy("a GIF image"),
    b"%PDF": gettext_lazy("a PDF document"),
    b"PK\x03\x04": gettext_lazy("an Excel workbook or a ZIP archive; save it as CSV first"),
    b"\xd0\xcf\x11\xe0": gettext_lazy("an old Excel workbook; save it as CSV first"),
    b"\x1f\x8b": gettext_lazy("a gzip archive; unpack it first"),
}
BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# What people's spreadsheets write; the library's full list finds exotic twins of these.
LEGACY_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "shift_jis", "gb18030", "big5"]


@dataclass(frozen=True)
class Record:
    """One row of a table.

    Attributes:
        number: as a spreadsheet shows it; the header is row 1 unless blank rows stand above it.
        problem: why its cells cannot be told apart, else empty.
    """

    number: int
    cells: list[str]
    problem: str = ""


@dataclass(frozen=True)
class Table:
    """A CSV file that was found readable."""

    path: Path
    encoding: str
    delimiter: str
    header: list[str]

    def records(self) -> Iterator[Record]:
        """The rows below the header, blank ones left out; may be called again and again.

        Raises:
            ImportRefused: the file turns out to be in another encoding, or to be binary.
        """
        rows = _records(self.path, self.encoding, self.delimiter)
        next(rows)
        for record in rows:
            if record.problem or len(record.cells) == len(self.header):
                yield record
            else:
                yield self._fitted(record)

    def _fitted(self, record: Record) -> Record:
        """The record with surplus empty cells cut off, or with the problem that it does not fit."""
        width = len(self.header)
        if not any(record.cells[width:]) and len(record.cells) > width:
            return Record(record.number, record.cells[:width])
        problem = _("The row has %(cells)d cells, the header has %(width)d.")
        return Record(
            record.number, record.cells, problem % {"cells": len(record.cells), "width": width}
        )


def open_table(path: Path, *, encoding: str = "", delimiter: str = "") -> Table:
    """Find out how to read a CSV file, and read its header.

    Args:
        encoding: a Python codec name; found out when empty.
        delimiter: one character; found out when empty.

    Raises:
        ImportRefused: it is no readable CSV file with a header.
    """
    try:
        with path.open("rb") as file:
            head = file.read(SAMPLE)
    except OSError as error:
        raise ImportRefused(
            _("%(path)s cannot be read: %(reason)s.") % {"path": path, "reason": error.strerror}
        ) from None
    _refuse_foreign(path, head)
    encoding = encoding or _encoding_of(path, head)
    delimiter = delimiter or _delimiter_of(path, encoding)
    header = next(_records(path, encoding, delimiter), None)
    if header is None:
        raise ImportRefused(_("%(file)s is empty.") % {"file": path.name})
    if header.problem:
        raise ImportRefused(
            _("The header of %(file)s cannot be read: %(reason)s")
            % {"file": path.name, "reason": header.problem}
        )
    return Table(path, encoding, delimiter, [cell.strip() for cell in header.cells])


def _refuse_foreign(path: Path, head: bytes) -> None:
    kind = next((kind for mark, kind in SIGNATURES.items() if head.startswith(mark)), "")
    if kind:
        raise ImportRefused(
            _("%(file)s is no CSV file but %(kind)s.") % {"file": path.name, "kind": kind}
        )
    if not head.strip():
        raise ImportRefused(_("%(file)s is empty.") % {"file": path.name})


# --- Encoding -----------------------------------------------------------------------------------


def _encoding_of(path: Path, head: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    if b"\x00" in head:
        return _utf16_without_mark(path, head)
    if sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head) > len(head) / 100:
        raise _no_text(path)
    broken_at = _first_byte_not_utf8(path)
    return "utf-8" if broken_at is None else _legacy_encoding(path, broken_at)


def _utf16_without_mark(path: Path, head: bytes) -> str:
    """UTF-16 gives itself away: in western text every other byte is NUL, and no other is."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if not even and odd > len(head) / 4:
        return "utf-16-le"
    if not odd and even > len(head) / 4:
        return "utf-16-be"
    raise _no_text(path)


def _first_byte_not_utf8(path: Path) -> int | None:
    """The offset of the line in which UTF-8 ends to be; None when all of it is UTF-8."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            try:
                line.decode()
            except UnicodeDecodeError:
                return offset
            offset += len(line)
    return None


def _legacy_encoding(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        matches = list(from_bytes(file.read(SAMPLE), cp_isolation=LEGACY_ENCODINGS))
    likely = [match for match in matches if match.chaos == matches[0].chaos]
    # Several read equally well when only a few letters differ: then it is the commonest one.
    if not likely or any("cp1252" in match.could_be_from_charset for match in likely):
        return "cp1252"
    return likely[0].encoding


def _no_text(path: Path) -> ImportRefused:
    return ImportRefused(_("%(file)s is no CSV file: it holds binary data.") % {"file": path.name})


# --- Delimiter ----------------------------------------------------------------------------------


def _delimiter_of(path: Path, encoding: str) -> str:
    """The delimiter that Excel's `sep=` line names, else the one that cuts even rows."""
    lines = list(islice(_lines(path, encoding), 200))
    if lines and (named := _named_delimiter(lines[0])):
        return named
    text = "".join(lines)[:SAMPLE]
    return max(DELIMITERS, key=lambda delimiter: _evenness(text, delimiter))


def _named_delimiter(line: str) -> str:
    stripped = line.rstrip("\r\n")
    return stripped[4] if stripped.lower().startswith("sep=") and len(stripped) == 5 else ""


def _evenness(text: str, delimiter: str) -> tuple[float, int]:
    """How many of the first rows have as many cells as the header, in tenths, and how many."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        rows = [row for row in islice(reader, 50) if row]
    except csv.Error:
        return (0, 0)
    width = len(rows[0]) if rows else 0
    if width < 2:
        return (0, 0)
    return (round(sum(len(row) == width for row in rows) / len(rows), 1), width)


# --- Rows ---------------------------------------------------------------------------------------


class _Rewindable(Iterator[str]):
    """Lines that can be taken back as far as the start of the current record."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._taken: list[str] = []
        self._returned: list[str] = []

    def __next__(self) -> str:
        line = self._returned.pop() if self._returned else next(self._lines)
        self._taken.append(line)
        return line

    def mark(self) -> None:
        """A new record starts here."""
        self._taken.clear()

    def return_all_but_first(self) -> None:
        """Give the lines of the current record back, all but its first."""
        self._returned.extend(reversed(self._taken[1:]))


def _records(path: Path, encoding: str, delimiter: str) -> Iterator[Record]:
    """The header and the rows below it, blank ones left out."""
    lines = _Rewindable(_lines(path, encoding, skip_sep_line=True))
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    number = 0
    while True:
        number += 1
        lines.mark()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            # A quote that does not match would swallow the rows below: only its line is broken.
            lines.return_all_but_first()
            yield Record(number, [], _("The quotation marks in this row do not match."))
            continue
        if any(cell.strip() for cell in cells):
            yield Record(number, cells)


def _lines(path: Path, encoding: str, *, skip_sep_line: bool = False) -> Iterator[str]:
    try:
        with path.open(encoding=encoding, newline="") as file:
            for position, line in enumerate(file):
                if "\x00" in line:
                    raise _no_text(path)
                if not (skip_sep_line and position == 0 and _named_delimiter(line)):
                    yield line
    except (UnicodeError, LookupError) as error:
        raise ImportRefused(
            _("%(file)s cannot be read as %(encoding)s: %(reason)s.")
            % {"file": path.name, "encoding": encoding, "reason": error}
        ) from None
