"""Imports leads from a CSV file."""

import json
import os
from pathlib import Path
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.management.base import CommandError, CommandParser
from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from leads.importing import ImportOptions, ImportRefused, ImportReport, import_leads
from leads.importing.mapping import FIELDS, parse_pairs
from leads.importing.report import write_problems
from leads.models import Outcome
from salesflow.accounts.commands import PlainCommand
from salesflow.accounts.context import tenant_context
from salesflow.accounts.queries import get_tenant

DELIMITER_NAMES = {
    ",": gettext_lazy("comma"),
    ";": gettext_lazy("semicolon"),
    "\t": gettext_lazy("tab"),
    "|": gettext_lazy("pipe"),
}


class Command(PlainCommand):
    """All the good rows of a file become leads; the others are listed with what is wrong."""

    help = (
        "Imports leads from a CSV file of any encoding, delimiter and date format. "
        f"Fields to map: {', '.join(FIELDS)}, custom.NAME."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add("file", metavar="FILE.csv", type=Path)
        add("--tenant", required=True, metavar="SLUG", help="whose leads they are")
        pairs: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
        add("--map", metavar="FIELD=COLUMN", help="which column holds a field", **pairs)
        add("--default", metavar="FIELD=VALUE", help="value where a cell is empty", **pairs)
        add("--source", default="import", help="source of leads that name none (import)")
        add("--pipeline", default="", help="its name; the default pipeline if not given")
        add(
            "--no-create-stages",
            dest="create_stages",
            action="store_false",
            help="leave rows out whose stage the pipeline lacks, instead of adding it",
        )
        add("--date-format", default="", help="such as DD-MM-YY or %%d.%%m.%%Y; else found out")
        add("--decimal-mark", default="", choices=[",", "."], help="else found out")
        add("--delimiter", default="", help="one character, or “tab”; else found out")
        add("--encoding", default="", help="such as cp1252; else found out")
        add("--errors", type=Path, metavar="FILE", help="where rows with trouble are listed")
        add("--dry-run", action="store_true", help="do everything, then take it back")
        add("--json", action="store_true", help="print the summary as JSON")

    def handle(self, **options: Any) -> None:
        """Import, list the rows with trouble, and print a summary."""
        path: Path = options["file"]
        errors = options["errors"] or _errors_file(path)
        report = self._import(path, options)
        if report.problems:
            _write(report, errors)
        if options["json"]:
            listed = str(errors) if report.problems else None
            self.stdout.write(json.dumps({**report.as_json(), "errors_file": listed}))
        else:
            self._print(path, report, errors)
        if report.rejected == report.rows:
            raise CommandError(_("No row could be imported; see %(file)s.") % {"file": errors})

    def _import(self, path: Path, options: dict[str, Any]) -> ImportReport:
        tenant = get_tenant(options["tenant"])
        with tenant_context(tenant), self.progress(None, "rows", title=path.name) as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            try:
                return import_leads(path, _options(options), progress=show)
            except ImportRefused as error:
                raise CommandError(str(error)) from None

    def _print(self, path: Path, report: ImportReport, errors: Path) -> None:
        self.stdout.write(_summary(report) % {"file": path.name, **_figures(report)})
        for note in report.notes:
            self.stdout.write(note)
        if report.problems:
            remarks = _("%(count)s remarks on rows are in %(file)s")
            self.stdout.write(remarks % {"count": intcomma(len(report.problems)), "file": errors})
        if report.dry_run:
            self.stdout.write(_("Dry run: nothing was written."))


def _summary(report: ImportReport) -> str:
    """The summary with names for its figures."""
    lines = [
        _("%(file)s: %(rows)s rows (%(encoding)s, %(delimiter)s)"),
        _(
            "%(created)s leads created, %(updated)s updated, %(unchanged)s unchanged, "
            "%(rejected)s rows left out"
        ),
        _("%(won)s won worth %(worth)s, %(lost)s lost, %(open)s open")
        if report.won_value
        else _("%(won)s won, %(lost)s lost, %(open)s open"),
    ]
    return "\n".join(lines)


def _figures(report: ImportReport) -> dict[str, str]:
    names = ("rows", "created", "updated", "unchanged", "rejected")
    numbers = {name: getattr(report, name) for name in names}
    numbers |= {outcome: report.outcomes[outcome] for outcome in Outcome.values}
    worth = [
        f"{floatformat(value, '2g')} {code}" for code, value in sorted(report.won_value.items())
    ]
    return {
        **{name: intcomma(number) for name, number in numbers.items()},
        "worth": " + ".join(worth),
        "encoding": report.encoding,
        "delimiter": str(DELIMITER_NAMES.get(report.delimiter, report.delimiter)),
    }


def _options(options: dict[str, Any]) -> ImportOptions:
    delimiter = "\t" if options["delimiter"] in ("tab", "\\t") else options["delimiter"]
    if len(delimiter) > 1:
        raise ImportRefused(_("--delimiter takes one character, or “tab”."))
    if len(options["source"]) > 50:
        raise ImportRefused(_("A source holds up to 50 characters."))
    return ImportOptions(
        columns=parse_pairs(options["map"], "--map"),
        defaults=parse_pairs(options["default"], "--default"),
        delimiter=delimiter,
        **{
            name: options[name]
            for name in (
                "encoding",
                "date_format",
                "decimal_mark",
                "pipeline",
                "create_stages",
                "source",
                "dry_run",
            )
        },
    )


def _errors_file(path: Path) -> Path:
    """Beside the file, or in the working directory where that directory is read-only."""
    beside = path.with_name(f"{path.name}.errors.csv")
    # The mode counts for root too: somebody took the write permission away on purpose.
    writable = os.access(path.parent, os.W_OK) and path.parent.stat().st_mode & 0o222
    return beside if writable else Path(beside.name)


def _write(report: ImportReport, errors: Path) -> None:
    try:
        write_problems(report.problems, errors)
    except OSError as error:
        raise CommandError(
            _("The leads are in, but %(count)d remarks cannot be written to %(file)s: %(why)s")
            % {"count": len(report.problems), "file": errors, "why": error.strerror}
        ) from None
