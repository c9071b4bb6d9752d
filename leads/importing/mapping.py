"""Which column of a file holds which field of a lead."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from leads.importing.report import ImportRefused

DATES = ("created_at", "stage_entered_at", "closed_at")
PLACES = ("time_zone", "country")
TEXTS = ("company", "title", "source", "lost_reason")
FIELDS = (
    "name",
    "first_name",
    "last_name",
    *TEXTS,
    "email",
    "phone",
    "owner",
    "value",
    "currency",
    "tags",
    "external_id",
    *PLACES,
    "stage",
    *DATES,
)
# One value for all rows makes no sense for what tells leads apart.
WITHOUT_DEFAULT = ("email", "phone", "external_id")
CUSTOM = "custom."


@dataclass(frozen=True)
class ColumnMapping:
    """Field → column, checked against a file's header.

    Attributes:
        columns: field → index of its column.
        names: field → name of its column, or the field itself when it only has a default.
        defaults: field → value where the cell is empty or no column is mapped.
    """

    columns: dict[str, int]
    names: dict[str, str]
    defaults: dict[str, str]

    def cell(self, cells: list[str], field: str) -> str:
        """The text of `field` in a row, without blanks around it; empty when there is none."""
        index = self.columns.get(field)
        text = cells[index].strip() if index is not None else ""
        return text or self.defaults.get(field, "")

    def has(self, field: str) -> bool:
        """Whether a column or a default gives `field`."""
        return field in self.columns or field in self.defaults

    @property
    def has_name(self) -> bool:
        """Whether leads get names of their own."""
        return any(self.has(field) for field in ("name", "first_name", "last_name"))

    def name(self, field: str) -> str:
        """The column's name, for people."""
        return self.names.get(field, field)

    @property
    def custom(self) -> list[str]:
        """The mapped custom fields, as `custom.NAME`."""
        return [field for field in {**self.columns, **self.defaults} if field.startswith(CUSTOM)]


def map_columns(
    header: list[str], wanted: Mapping[str, str], defaults: Mapping[str, str]
) -> ColumnMapping:
    """Check a mapping of fields to column names against a header.

    Args:
        wanted: field → column name; upper and lower case are the same where that is clear.
        defaults: field → value.

    Raises:
        ImportRefused: a field or column does not exist, or nothing tells what to call a lead.
    """
    _check_fields([*wanted, *defaults])
    for field in defaults:
        if field in WITHOUT_DEFAULT:
            raise ImportRefused(_("“%(field)s” cannot have a default.") % {"field": field})
    if not set(wanted) & {"name", "first_name", "last_name", "company", "email", "external_id"}:
        raise ImportRefused(
            _("Map a column to name, company, email or external_id, such as --map name=COLUMN.")
        )
    columns = {field: _find(header, column) for field, column in wanted.items()}
    names = {field: header[index] for field, index in columns.items()}
    return ColumnMapping(columns, names, dict(defaults))


def parse_pairs(pairs: Iterable[str], option: str) -> dict[str, str]:
    """Turn "field=column" strings into a dictionary.

    Args:
        option: what the user typed before them, for the message.

    Raises:
        ImportRefused: one has no "=", or a field comes twice.
    """
    parsed: dict[str, str] = {}
    for pair in pairs:
        field, equals, text = pair.partition("=")
        field, text = field.strip(), text.strip()
        if not (field and equals and text):
            raise ImportRefused(
                _("“%(pair)s” is no field=text pair; write %(option)s name=COLUMN.")
                % {"pair": pair, "option": option}
            )
        if field in parsed:
            raise ImportRefused(
                _("%(option)s gives “%(field)s” twice.") % {"option": option, "field": field}
            )
        parsed[field] = text
    return parsed


def _check_fields(fields: Iterable[str]) -> None:
    for field in fields:
        if field not in FIELDS and not field.startswith(CUSTOM):
            raise ImportRefused(
                _("There is no field “%(field)s”; there are %(fields)s and custom.NAME.")
                % {"field": field, "fields": ", ".join(FIELDS)}
            )
        if field == CUSTOM:
            raise ImportRefused(_("A custom field needs a name, such as custom.product."))


def _find(header: list[str], column: str) -> int:
    exact = [index for index, name in enumerate(header) if name == column]
    folded = column.casefold()
    found = exact or [index for index, name in enumerate(header) if name.casefold() == folded]
    if len(found) == 1:
        return found[0]
    if found:
        raise ImportRefused(
            _("The file has several columns “%(column)s”; rename all but one.") % {"column": column}
        )
    raise ImportRefused(
        _("The file has no column “%(column)s”; it has %(columns)s.")
        % {"column": column, "columns": ", ".join(filter(None, header))}
    )
