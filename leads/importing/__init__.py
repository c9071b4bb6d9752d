"""Imports leads from CSV files: all the good rows of a file, or nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from events.context import current_event_context, event_context
from leads.importing.mapping import ColumnMapping, map_columns
from leads.importing.options import ImportOptions
from leads.importing.reading import Table, open_table
from leads.importing.report import ImportRefused, ImportReport
from leads.importing.rows import LeadDraft, RowReader
from leads.importing.stages import StageBook
from leads.importing.survey import Survey, survey_table
from leads.importing.writing import LeadWriter
from salesflow.accounts.context import current_tenant
from salesflow.accounts.ids import uuid7

__all__ = ["ImportOptions", "ImportRefused", "ImportReport", "import_leads"]

CHUNK = 1000
Progress = Callable[[int, int], Any]


def import_leads(
    path: Path, options: ImportOptions, *, progress: Progress | None = None
) -> ImportReport:
    """Import a CSV file into the current tenant, in one transaction.

    A row whose external id is known updates that lead; its empty cells change nothing. Rows with
    wrong values are left out and reported. Each lead publishes what happened to it, dated as its
    row says.

    Args:
        progress: called with the rows done and the rows in all.

    Raises:
        ImportRefused: the file or the options cannot be used; nothing was written.
    """
    table = open_table(path, encoding=options.encoding, delimiter=options.delimiter)
    mapping = map_columns(table.header, options.columns, options.defaults)
    survey = survey_table(table, mapping, options, current_tenant())
    report = ImportReport(
        request_id=current_event_context().request_id or str(uuid7()),
        encoding=table.encoding.removesuffix("-sig"),
        delimiter=table.delimiter,
        rows=survey.rows,
        notes=survey.notes,
        dry_run=options.dry_run,
    )
    if not survey.rows:
        raise ImportRefused(_("%(file)s has a header but no rows.") % {"file": path.name})
    with event_context(source="import", request_id=report.request_id):
        _import_table(table, mapping, survey, options, report, progress or _ignore)
    return report


def _import_table(
    table: Table,
    mapping: ColumnMapping,
    survey: Survey,
    options: ImportOptions,
    report: ImportReport,
    progress: Progress,
) -> None:
    try:
        with transaction.atomic():
            _wait_for_other_imports()
            now = timezone.now()
            stages = _stages(survey, options, report)
            reader = RowReader(mapping, survey, stages, report, now)
            writer = LeadWriter(mapping, stages, options, report, now)
            for done, drafts in _chunks(table, reader, report):
                writer.write(drafts)
                progress(done, survey.rows)
            reader.tell_strangers()
            transaction.set_rollback(options.dry_run)
    except IntegrityError:
        raise ImportRefused(
            _("Somebody else changed the same leads meanwhile; nothing was written, try again.")
        ) from None


def _chunks(
    table: Table, reader: RowReader, report: ImportReport
) -> Iterator[tuple[int, list[LeadDraft]]]:
    """The number of rows read so far, and the drafts among the last thousand of them."""
    drafts: list[LeadDraft] = []
    done = 0
    for done, record in enumerate(table.records(), start=1):
        draft = reader.read(record)
        if draft:
            drafts.append(draft)
        else:
            report.rejected += 1
        if done % CHUNK == 0:
            yield done, drafts
            drafts = []
    yield done, drafts


def _stages(survey: Survey, options: ImportOptions, report: ImportReport) -> StageBook:
    stages = StageBook(options.pipeline)
    if options.create_stages:
        stages.add_missing(survey.stages)
    if stages.added:
        names = ", ".join(f"{stage.name} ({stage.probability} %)" for stage in stages.added)
        report.notes.append(
            _("Stages added to the pipeline “%(pipeline)s”: %(names)s.")
            % {"pipeline": stages.pipeline.name, "names": names}
        )
    return stages


def _wait_for_other_imports() -> None:
    """One import a tenant at a time, else two of the same file would both add its leads."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"leads.import:{current_tenant().id}"],
        )


def _ignore(_done: int, _total: int) -> None:
    pass
