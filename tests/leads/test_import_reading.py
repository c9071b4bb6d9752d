"""The reader against every dialect that spreadsheets write, and against files that are none."""

import codecs
import gzip
import zipfile
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leads.importing.reading import open_table
from leads.importing.report import ImportRefused
from tests.leads.factories import make_csv

CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\ufeff", exclude_categories=["Cs", "Cc"])
    | st.sampled_from('";,|\t\n äöüß'),
    max_size=12,
).map(str.strip)


def rows_of(path: Path, **options: Any) -> list[list[str]]:
    return [
        [cell.strip() for cell in record.cells] for record in open_table(path, **options).records()
    ]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@example(rows=[("a,b", 'say "hi"', "two\nlines")], delimiter=";", encoding="utf-8-sig")
def test_what_a_spreadsheet_wrote_is_read_back(
    rows: list[tuple[str, str, str]], delimiter: str, encoding: str
) -> None:
    # A row of blanks is no row, and one that starts with a word shows the delimiter.
    rows = [(f"r{number}", b, c) for number, (_a, b, c) in enumerate(rows)]
    with TemporaryDirectory() as directory:
        path = make_csv(
            Path(directory) / "leads.csv",
            ["Name", "Company", "City"],
            rows,
            encoding=encoding,
            delimiter=delimiter,
        )
        expected = [list(row) for row in rows]

        assert rows_of(path, delimiter=delimiter) == expected


@settings(max_examples=150, deadline=None)
@given(content=st.binary(min_size=1, max_size=400))
@example(content=b"a,b\n\xff\xfe")
@example(content=b'name\n"never closed\n\n')
@example(content=b"\xff\xfea")
def test_no_bytes_whatever_break_the_reader(content: bytes) -> None:
    with TemporaryDirectory() as directory, suppress(ImportRefused):
        path = Path(directory) / "leads.csv"
        path.write_bytes(content)
        table = open_table(path)
        for record in table.records():
            assert record.problem or len(record.cells) == len(table.header)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(tmp_path: Path, delimiter: str) -> None:
    rows = [["Müller, Hans", "1.234,50", "a;b|c"], ["Ada", "7,00", "x,y"]]
    path = make_csv(tmp_path / "f.csv", ["Name", "Wert", "Tags"], rows, delimiter=delimiter)

    assert open_table(path).delimiter == delimiter
    assert rows_of(path) == rows


def test_unquoted_decimal_commas_do_not_hide_the_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("Name;Wert\nAda;1,5\nBob;2,5\n")

    assert rows_of(path) == [["Ada", "1,5"], ["Bob", "2,5"]]


def test_a_file_of_one_column_is_a_table(tmp_path: Path) -> None:
    path = make_csv(tmp_path / "f.csv", ["Name"], [["Ada"], ["Bob"]])

    assert rows_of(path) == [["Ada"], ["Bob"]]


def test_excels_sep_line_names_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"\xef\xbb\xbfsep=|\r\nName|City\r\nAda|London\r\n")

    [record] = open_table(path).records()
    assert (record.number, record.cells) == (2, ["Ada", "London"])


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8-sig", b""),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("cp1252", b""),
    ],
)
def test_the_encoding_is_found_out(tmp_path: Path, encoding: str, mark: bytes) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(mark + "Name;Straße\r\nJürgen Groß;Köln – Süd €5\r\n".encode(encoding))

    assert rows_of(path) == [["Jürgen Groß", "Köln – Süd €5"]]
    assert open_table(path).header == ["Name", "Straße"]


def test_an_umlaut_far_down_is_found(tmp_path: Path) -> None:
    path = make_csv(
        tmp_path / "f.csv",
        ["Name", "City"],
        [*[["Ada", "London"]] * 20_000, ["Jürgen", "Köln"]],
        encoding="cp1252",
    )

    assert rows_of(path)[-1] == ["Jürgen", "Köln"]


def test_cyrillic_of_windows_is_read(tmp_path: Path) -> None:
    rows = [["Иван Петров", "Москва"], ["Анна Смирнова", "Казань"]] * 5
    path = make_csv(tmp_path / "f.csv", ["Имя", "Город"], rows, encoding="cp1251")

    assert rows_of(path) == rows


def test_row_numbers_are_those_of_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text('Name,Note\nAda,"two\nlines"\n\n,\nBob,x\n')

    assert [(r.number, r.cells[0]) for r in open_table(path).records()] == [(2, "Ada"), (5, "Bob")]


@pytest.mark.parametrize(
    "broken",
    ['"never closed,x', 'a"b"c,"d" e', '"a" b,c', "only one", "one,two,three"],
)
def test_a_broken_row_spoils_no_other(tmp_path: Path, broken: str) -> None:
    good = [f"Lead {number},City {number}" for number in range(500)]
    path = tmp_path / "f.csv"
    path.write_text("\n".join(["Name,City", *good[:250], broken, *good[250:]]))

    records = list(open_table(path).records())

    assert len([r for r in records if not r.problem]) >= 500
    problems = [record for record in records if record.problem]
    assert [record.number for record in problems] in ([252], [])
    assert [r.cells for r in records if not r.problem and r.cells[0].startswith("Lead")] == [
        line.split(",") for line in good
    ]


def test_surplus_empty_cells_are_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("Name,City\nAda,London,,\n")

    assert rows_of(path) == [["Ada", "London"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "PNG image"),
        (b"%PDF-1.7 ...", "PDF document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel workbook"),
        (gzip.compress(b"a,b", mtime=0), "gzip archive"),
        (b"", "is empty"),
        (b" \r\n\r\n", "is empty"),
        (b"name,city\nA\x00da,London\n", "binary data"),
        (bytes(range(1, 32)) * 10, "binary data"),
        (b"\x00" * 100, "binary data"),
        (b"name,city\n" + b"Ada,London\n" * 9000 + b"B\x00b,Paris\n", "binary data"),
        (b'"name,city\nAda,London\n', "header"),
    ],
)
def test_what_is_no_csv_is_refused_in_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(content)

    with pytest.raises(ImportRefused, match=said) as refused:
        list(open_table(path).records())

    assert "f.csv" in str(refused.value)


def test_a_workbook_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")

    with pytest.raises(ImportRefused, match="save it as CSV"):
        open_table(path)


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ImportRefused, match="cannot be read"):
            open_table(path)


@pytest.mark.parametrize("encoding", ["ascii", "no-such-codec"])
def test_a_wrong_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    path = make_csv(tmp_path / "f.csv", ["Name"], [["Jürgen"]])

    with pytest.raises(ImportRefused, match=encoding):
        list(open_table(path, encoding=encoding).records())
