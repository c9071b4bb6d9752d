"""What an import is told besides the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ImportOptions:
    """How to import a file; what is empty is found out.

    Attributes:
        columns: field of a lead → name of its column.
        defaults: field → value where the cell is empty or no column is mapped.
        encoding: a Python codec name.
        delimiter: one character.
        date_format: strptime's ("%d-%m-%y") or people's ("DD-MM-YY").
        decimal_mark: "," or ".".
        pipeline: its name; the default pipeline when empty.
        create_stages: whether open stages that the pipeline lacks are added to it.
        source: the source of leads whose row names none.
        dry_run: do everything, then take it back.
    """

    columns: Mapping[str, str]
    defaults: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""
    delimiter: str = ""
    date_format: str = ""
    decimal_mark: str = ""
    pipeline: str = ""
    create_stages: bool = True
    source: str = "import"
    dry_run: bool = False
