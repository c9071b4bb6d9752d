"""The first look at a file, which tells how its columns write dates, amounts and stages."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from leads.importing.amounts import AmountColumn
from leads.importing.dates import DateColumn
from leads.importing.mapping import DATES, ColumnMapping
from leads.importing.options import ImportOptions
from leads.importing.reading import Table
from salesflow.accounts.models import Tenant


@dataclass
class Survey:
    """What the whole file tells about its columns.

    Attributes:
        rows: how many there are below the header.
        stages: the stages' names in the order of their first appearance.
    """

    dates: dict[str, DateColumn]
    amounts: AmountColumn
    rows: int = 0
    stages: dict[str, None] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What had to be assumed."""
        columns: list[DateColumn | AmountColumn] = [*self.dates.values(), self.amounts]
        return [column.ambiguity for column in columns if column.is_ambiguous]


def survey_table(
    table: Table, mapping: ColumnMapping, options: ImportOptions, tenant: Tenant
) -> Survey:
    """Read the whole file once.

    Raises:
        ImportRefused: it cannot be read to its end, or the date format is none.
    """
    german = tenant.language == "de"
    zone = ZoneInfo(tenant.time_zone)
    dates = {
        name: DateColumn(
            mapping.name(name), zone=zone, day_first=german, layout=options.date_format
        )
        for name in DATES
        if mapping.has(name)
    }
    amounts = AmountColumn(mapping.name("value"), decimal_comma=german, mark=options.decimal_mark)
    survey = Survey(dates, amounts)
    for record in table.records():
        survey.rows += 1
        if not record.problem:
            _observe(survey, mapping, record.cells)
    return survey


def _observe(survey: Survey, mapping: ColumnMapping, cells: list[str]) -> None:
    for name, column in survey.dates.items():
        if text := mapping.cell(cells, name):
            column.observe(text)
    if text := mapping.cell(cells, "value"):
        survey.amounts.observe(text)
    if text := mapping.cell(cells, "stage"):
        survey.stages.setdefault(text)
