"""Writes drafts of leads in bulk: new ones are created, known ones brought up to date, through the
path that publishes."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from events import Draft, publish_many
from leads.contact_points import FIELDS, Kind, taken
from leads.importing.mapping import ColumnMapping
from leads.importing.options import ImportOptions
from leads.importing.report import ImportReport
from leads.importing.rows import CONTACTS, LeadDraft
from leads.importing.stages import StageBook
from leads.models import ContactPoint, Lead, Outcome
from leads.payloads import FieldChange, LeadUpdated
from leads.services import default_currency
from salesflow.accounts.context import current_tenant

Point = tuple[str, str]
COLUMN_OF_KIND: dict[str, str] = {kind: name for name, kind in CONTACTS.items()}
# Field → attribute, without what no row says.
CHANGEABLE = {
    column.name: column.attname
    for column in Lead._meta.concrete_fields
    if column.name not in ("id", "tenant", "updated_at")
}


@dataclass
class Batch:
    """What one `write` sends to the database.

    Attributes:
        changed: known leads with another value than before in one of `changed_fields`.
        events: the additions to known leads' contact points.
    """

    new: list[Lead] = field(default_factory=list)
    changed: list[Lead] = field(default_factory=list)
    changed_fields: set[str] = field(default_factory=lambda: {"updated_at"})
    points: list[ContactPoint] = field(default_factory=list)
    events: list[Draft] = field(default_factory=list)

    def save(self) -> None:
        """Write all of it in a few statements, whatever the number of rows."""
        Lead.objects.bulk_create(self.new)
        if self.changed:
            Lead.objects.bulk_update(self.changed, sorted(self.changed_fields), batch_size=500)
        ContactPoint.objects.bulk_create(self.points)
        publish_many(self.events)


class LeadWriter:
    """Writes the drafts of one file, a thousand or so at a time.

    Args:
        now: the time of the import, for dates that rows leave out.
    """

    def __init__(
        self,
        mapping: ColumnMapping,
        stages: StageBook,
        options: ImportOptions,
        report: ImportReport,
        now: datetime,
    ) -> None:
        self._mapping = mapping
        self._stages = stages
        self._source = options.source
        self._report = report
        self._now = now
        self._currency = default_currency(current_tenant())

    def write(self, drafts: list[LeadDraft]) -> None:
        """Create or update the leads of `drafts`, and publish that."""
        batch, known, holders = Batch(), self._known(drafts), _holders(drafts)
        held = _held_points(known)
        for draft in drafts:
            lead = known.get(draft.external_id)
            if not self._claim_points(draft, lead, holders):
                self._report.rejected += 1
                continue
            if lead is None:
                lead = self._new_lead(draft)
                batch.new.append(lead)
                batch.points.extend(_points(lead, draft, held=[]))
            else:
                self._update(lead, draft, held.get(lead.id, []), batch)
            holders |= {
                (kind, value): lead for kind in draft.points for value in draft.points[kind]
            }
            self._report.count(lead.outcome, lead.value, lead.currency)
        batch.save()
        self._report.created += len(batch.new)
        self._report.updated += len(batch.changed)

    def _known(self, drafts: list[LeadDraft]) -> dict[str, Lead]:
        """The leads that the drafts' external ids belong to, locked."""
        ids = [draft.external_id for draft in drafts if draft.external_id]
        rows = Lead.objects.filter(external_id__in=ids).order_by("id")
        known = {lead.external_id: lead for lead in rows.select_for_update()}
        for lead in known.values():
            # One object for each stage, so that payloads need no query to name it.
            lead.stage = self._stages.by_id(lead.stage_id)
        return known

    def _claim_points(
        self, draft: LeadDraft, lead: Lead | None, holders: dict[Point, Lead]
    ) -> bool:
        """Whether the draft may be written. A contact point that leads to another lead already is
        taken out of a draft with an external id; without one the draft is that lead once more."""
        for kind, values in draft.points.items():
            for value in list(values):
                holder = holders.get((kind, value))
                if holder is None or holder == lead:
                    continue
                column = self._mapping.name(COLUMN_OF_KIND[kind])
                reason = " ".join(taken(value, holder.name).messages)
                if not draft.external_id:
                    self._report.reject(draft.row, column, value, reason)
                    return False
                self._report.warn(draft.row, column, value, reason)
                values.remove(value)
        return True

    # --- New leads ------------------------------------------------------------------------------

    def _new_lead(self, draft: LeadDraft) -> Lead:
        fields = {"source": self._source, "currency": self._currency, **draft.fields}
        moments = draft.moments
        earliest = min([self._now, *moments.values()])
        lead = Lead(
            **{**fields, "name": self._name(draft)},
            custom_fields=draft.custom_fields,
            owner=draft.owner,
            created_at=moments.get("created_at") or earliest,
        )
        self._tell_missing_date(draft, "created_at", earliest)
        _enter_stage(lead, draft, draft.stage or self._stages.first, otherwise=lead.created_at)
        if lead.outcome != Outcome.OPEN and "closed_at" not in moments:
            lead.closed_at = max(moments.get("stage_entered_at", self._now), lead.created_at)
            lead.stage_entered_at = lead.closed_at
            self._tell_missing_date(draft, "closed_at", lead.closed_at)
        return lead

    def _name(self, draft: LeadDraft) -> str:
        """The lead's name, or what stands in for it."""
        if name := draft.fields.get("name"):
            return str(name)
        substitutes = {
            "company": draft.fields.get("company", ""),
            "email": next(iter(draft.points.get(Kind.EMAIL, [])), ""),
            "phone": next(iter(draft.points.get(Kind.PHONE, [])), ""),
            "external_id": draft.external_id,
        }
        field_name, name = next(
            ((field, text) for field, text in substitutes.items() if text),
            ("row", _("Row %(row)d") % {"row": draft.row}),
        )
        # Where the file has no names at all, the company is not a makeshift.
        wanted = "name" if self._mapping.has_name else "company"
        if field_name != wanted:
            reason = _("Empty: “%(name)s” is the lead's name.") % {"name": name}
            self._report.warn(draft.row, self._mapping.name(wanted), "", reason)
        return name

    def _tell_missing_date(self, draft: LeadDraft, name: str, used: datetime) -> None:
        if self._mapping.has(name) and name not in draft.moments:
            reason = _("Empty: %(date)s is taken.") % {"date": used.date().isoformat()}
            self._report.warn(draft.row, self._mapping.name(name), "", reason)

    # --- Known leads ----------------------------------------------------------------------------

    def _update(self, lead: Lead, draft: LeadDraft, held: list[ContactPoint], batch: Batch) -> None:
        """Bring a known lead up to date; an empty cell changes nothing."""
        before = _state(lead)
        for name, value in draft.fields.items():
            setattr(lead, name, value)
        lead.custom_fields = {**lead.custom_fields, **draft.custom_fields}
        if draft.owner:
            lead.owner = draft.owner
        self._redate(lead, draft)
        changed = {name for name, value in _state(lead).items() if value != before[name]}
        points = _points(lead, draft, held)
        if not (changed or points):
            self._report.unchanged += 1
            return
        lead.updated_at = self._now
        batch.changed.append(lead)
        batch.changed_fields |= changed
        batch.points.extend(points)
        if points:
            batch.events.append(_contacts_added(lead, held, points))

    def _redate(self, lead: Lead, draft: LeadDraft) -> None:
        lead.created_at = draft.moments.get("created_at", lead.created_at)
        if draft.stage and draft.stage.id != lead.stage_id:
            _enter_stage(lead, draft, draft.stage, otherwise=self._now)
        if lead.closed_at:
            lead.closed_at = draft.moments.get("closed_at", lead.closed_at)
            # An earlier import did not know when the lead came in.
            lead.created_at = min(lead.created_at, lead.closed_at)
        lead.stage_entered_at = draft.moments.get("stage_entered_at", lead.stage_entered_at)
        if lead.outcome == Outcome.LOST:
            lead.lost_reason = draft.lost_reason or lead.lost_reason


def _enter_stage(lead: Lead, draft: LeadDraft, stage: Any, *, otherwise: datetime) -> None:
    """Put the lead into the stage, since when the draft says."""
    moments = draft.moments
    closed_at = moments.get("closed_at") if stage.kind != Outcome.OPEN else None
    at = moments.get("stage_entered_at") or closed_at or otherwise
    lead.enter_stage(stage, at=at, lost_reason=draft.lost_reason)
    lead.closed_at = closed_at or lead.closed_at


def _state(lead: Lead) -> dict[str, Any]:
    """The values of all columns that an import may change."""
    return {name: getattr(lead, attname) for name, attname in CHANGEABLE.items()}


def _holders(drafts: list[LeadDraft]) -> dict[Point, Lead]:
    """The leads that the drafts' contact points lead to already."""
    holders: dict[Point, Lead] = {}
    for kind in Kind:
        values = [value for draft in drafts for value in draft.points.get(kind, [])]
        if values:
            points = ContactPoint.objects.filter(kind=kind, value__in=values)
            holders |= {(kind, row.value): row.lead for row in points.select_related("lead")}
    return holders


def _held_points(known: dict[str, Lead]) -> dict[UUID, list[ContactPoint]]:
    """The contact points of the known leads by lead, the primary ones first."""
    held: dict[UUID, list[ContactPoint]] = defaultdict(list)
    # A prefetch would do, but takes longer than all the rest for leads that stay as they are.
    for point in ContactPoint.objects.filter(lead__in=known.values()):
        held[point.lead_id].append(point)
    return held


def _points(lead: Lead, draft: LeadDraft, held: list[ContactPoint]) -> list[ContactPoint]:
    """The draft's contact points that the lead lacks; the first of a kind is its primary one."""
    known = {(point.kind, point.value) for point in held}
    has_primary = {point.kind for point in held if point.is_primary}
    return [
        ContactPoint(
            lead=lead,
            kind=kind,
            value=value,
            is_primary=index == 0 and kind not in has_primary,
        )
        for kind, values in draft.points.items()
        for index, value in enumerate(values)
        if (kind, value) not in known
    ]


def _contacts_added(lead: Lead, held: list[ContactPoint], new: list[ContactPoint]) -> Draft:
    changes = {}
    for kind in dict.fromkeys(point.kind for point in new):
        before = [point.value for point in held if point.kind == kind]
        after = before + [point.value for point in new if point.kind == kind]
        changes[FIELDS[Kind(kind)]] = FieldChange(old=list(before), new=list(after))
    return Draft(LeadUpdated(lead_id=lead.id, changes=changes))
