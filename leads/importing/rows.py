"""Turns the rows of a file into drafts of leads. A value that is wrong keeps its row out; one that
is missing is told, and the lead lands without it."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from leads.contact_points import Kind, normalise
from leads.importing.mapping import DATES, TEXTS, ColumnMapping
from leads.importing.owners import OwnerBook
from leads.importing.reading import Record
from leads.importing.report import ImportReport
from leads.importing.stages import StageBook
from leads.importing.survey import Survey
from leads.models import Lead, Outcome, Stage
from leads.places import validate_country, validate_time_zone
from salesflow.accounts.models import User

SEPARATORS = {"email": r"[;,\s]+", "phone": r"[;,\n]+", "tags": r"[;,|\n]+"}
CONTACTS = {"email": Kind.EMAIL, "phone": Kind.PHONE}
PLACES = {"time_zone": validate_time_zone, "country": validate_country}
TAG_LENGTH = 50


@dataclass
class LeadDraft:
    """What a row says about a lead; what it leaves empty is absent.

    Attributes:
        fields: values of the lead's own fields, its external id included.
        moments: business dates by field.
        points: contact points in normal form by kind.
    """

    row: int
    external_id: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    custom_fields: dict[str, str] = field(default_factory=dict)
    stage: Stage | None = None
    lost_reason: str = ""
    owner: User | None = None
    moments: dict[str, datetime] = field(default_factory=dict)
    points: dict[str, list[str]] = field(default_factory=dict)


class BadCell(ValueError):
    """A value that keeps its row out."""

    def __init__(self, field_name: str, value: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.value, self.reason = field_name, value, reason


class RowReader:
    """Reads rows as the survey says.

    Args:
        now: the time of the import; a later date is a mistake.
    """

    def __init__(
        self,
        mapping: ColumnMapping,
        survey: Survey,
        stages: StageBook,
        report: ImportReport,
        now: datetime,
    ) -> None:
        self._mapping = mapping
        self._survey = survey
        self._report = report
        self._owners = OwnerBook()
        self._stages = {name: stages.find(name) for name in survey.stages}
        self._rows_by_external_id: dict[str, int] = {}
        # A day's grace, since a date without a time zone may be ahead of ours.
        self._latest = now + timedelta(days=1)
        self._strangers: Counter[str] = Counter()
        self._first_rows: dict[str, int] = {}

    def read(self, record: Record) -> LeadDraft | None:
        """The draft of a row; None when it is left out, with the reasons in the report."""
        if record.problem:
            self._report.reject(record.number, "", "", record.problem)
            return None
        draft, complete = LeadDraft(record.number), True
        for part in (
            self._identity,
            self._texts,
            self._amount,
            self._stage,
            self._moments,
            self._contacts,
            self._tags,
            self._place,
            self._owner,
        ):
            try:
                part(draft, record.cells)
            except BadCell as bad:
                complete = False
                column = self._mapping.name(bad.field)
                self._report.reject(record.number, column, bad.value, bad.reason)
        return draft if complete else None

    def tell_strangers(self) -> None:
        """Report, once each, the owners who are no members."""
        for name, rows in self._strangers.items():
            reason = _("No member of the team; kept in the custom field “owner” (%(rows)d rows).")
            self._report.warn(
                self._first_rows[name], self._mapping.name("owner"), name, reason % {"rows": rows}
            )

    def _identity(self, draft: LeadDraft, cells: list[str]) -> None:
        if not self._mapping.has("external_id"):
            return
        text = self._limited("external_id", cells)
        if not text:
            raise BadCell("external_id", "", _("Without it the next import would add it again."))
        earlier = self._rows_by_external_id.setdefault(text, draft.row)
        if earlier != draft.row:
            reason = _("Row %(row)d has the same.") % {"row": earlier}
            raise BadCell("external_id", text, reason)
        draft.external_id = draft.fields["external_id"] = text

    def _texts(self, draft: LeadDraft, cells: list[str]) -> None:
        for name in TEXTS:
            if text := self._limited(name, cells):
                draft.fields[name] = text
        draft.lost_reason = draft.fields.pop("lost_reason", "")
        parts = [self._mapping.cell(cells, part) for part in ("first_name", "last_name")]
        if name := self._limited("name", cells) or " ".join(filter(None, parts)):
            draft.fields["name"] = name[:200]
        for custom in self._mapping.custom:
            if text := self._mapping.cell(cells, custom):
                draft.custom_fields[custom.partition(".")[2]] = text

    def _limited(self, name: str, cells: list[str]) -> str:
        text = self._mapping.cell(cells, name)
        longest: int = Lead._meta.get_field(name).max_length  # type: ignore[union-attr,assignment]
        if len(text) > longest:
            reason = _("Longer than %(longest)d characters.") % {"longest": longest}
            raise BadCell(name, text, reason)
        return text

    def _amount(self, draft: LeadDraft, cells: list[str]) -> None:
        currency = self._mapping.cell(cells, "currency").upper()
        if currency and not re.fullmatch("[A-Z]{3}", currency):
            reason = _("A currency has three letters, such as EUR.")
            raise BadCell("currency", currency, reason)
        if text := self._mapping.cell(cells, "value"):
            value, named = self._read_amount(text)
            draft.fields["value"] = value
            currency = currency or named
        if currency:
            draft.fields["currency"] = currency

    def _read_amount(self, text: str) -> tuple[Decimal, str]:
        try:
            return self._survey.amounts.read(text)
        except ValueError as error:
            raise BadCell("value", text, str(error)) from None

    def _moments(self, draft: LeadDraft, cells: list[str]) -> None:
        is_open = draft.stage is not None and draft.stage.kind == Outcome.OPEN
        for name in DATES:
            text = self._mapping.cell(cells, name)
            if text and name == "closed_at" and is_open:
                # Other CRMs keep the day on which they expect the deal there.
                column = self._mapping.name(name)
                self._report.warn(draft.row, column, text, _("Not kept: the deal is still open."))
            elif text:
                draft.moments[name] = self._read_moment(name, text)
        created, closed = draft.moments.get("created_at"), draft.moments.get("closed_at")
        if created and closed and closed < created:
            if closed.date() != created.date():
                text = self._mapping.cell(cells, "closed_at")
                raise BadCell("closed_at", text, _("Closed before it came in."))
            draft.moments["closed_at"] = created

    def _read_moment(self, name: str, text: str) -> datetime:
        try:
            moment = self._survey.dates[name].read(text)
        except ValueError as error:
            raise BadCell(name, text, str(error)) from None
        if moment > self._latest:
            raise BadCell(name, text, _("This lies in the future."))
        return moment

    def _contacts(self, draft: LeadDraft, cells: list[str]) -> None:
        for name, kind in CONTACTS.items():
            if text := self._mapping.cell(cells, name):
                try:
                    draft.points[kind] = normalise(kind, re.split(SEPARATORS[name], text))
                except ValidationError as error:
                    raise BadCell(name, text, " ".join(error.messages)) from None

    def _tags(self, draft: LeadDraft, cells: list[str]) -> None:
        text = self._mapping.cell(cells, "tags")
        tags = [tag.strip() for tag in re.split(SEPARATORS["tags"], text)]
        if any(len(tag) > TAG_LENGTH for tag in tags):
            raise BadCell("tags", text, _("A tag holds up to 50 characters."))
        if text:
            draft.fields["tags"] = list(dict.fromkeys(filter(None, tags)))

    def _place(self, draft: LeadDraft, cells: list[str]) -> None:
        for name, validate in PLACES.items():
            text = self._mapping.cell(cells, name)
            place = text.upper() if name == "country" else text
            try:
                if place:
                    validate(place)
                    draft.fields[name] = place
            except ValidationError as error:
                raise BadCell(name, text, " ".join(error.messages)) from None

    def _stage(self, draft: LeadDraft, cells: list[str]) -> None:
        text = self._mapping.cell(cells, "stage")
        draft.stage = self._stages[text] if text else None
        if text and not draft.stage:
            raise BadCell("stage", text, _("The pipeline has no such stage."))

    def _owner(self, draft: LeadDraft, cells: list[str]) -> None:
        text = self._mapping.cell(cells, "owner")
        draft.owner = self._owners.find(text) if text else None
        if text and not draft.owner:
            draft.custom_fields.setdefault("owner", text)
            self._strangers[text] += 1
            self._first_rows.setdefault(text, draft.row)
