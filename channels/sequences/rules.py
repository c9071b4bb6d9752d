"""Entry rules: what happened to a lead takes it into a sequence, without anybody being asked.

A rule looks at what has just happened and never back: an event that is replayed or comes late takes
nobody in, nor does an import, unless the rule says so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import TypeAdapter
from pydantic import ValidationError as Unreadable

from channels.sequences import models
from channels.sequences.asking import is_askable, values_of
from channels.sequences.conditions import Operator, holds
from channels.sequences.documents import Says
from channels.sequences.enrolling import Source, enrol_leads
from channels.sequences.models import EntryRule
from channels.sequences.payloads import ARCHIVED, NOT_ENROLLED, SequenceBlocked
from channels.templating import normal_name
from events import publish
from events.models import Event
from events.types import EventType
from leads.models import Lead
from salesflow.accounts.models import User

# What sets a rule off → in words.
TRIGGERS: dict[str, str | Promise] = {
    EventType.LEAD_CREATED: gettext_lazy("A lead comes in"),
    EventType.LEAD_STAGE_CHANGED: gettext_lazy("A lead comes into another stage"),
    EventType.LEAD_ASSIGNED: gettext_lazy("A lead is assigned"),
    EventType.LEAD_UPDATED: gettext_lazy("A lead is edited"),
}
# The fields of a lead, as `lead.updated` names them, that a condition's name is about.
EDITED = {
    "tag": "tags",
    "email": "emails",
    "phone": "phones",
    "custom": "custom_fields",
    "first_name": "name",
    "last_name": "name",
}
# What changes otherwise: a rule that asks for nothing else holds after any edit.
NEVER_EDITED = {"stage"}
# What is known of whoever writes, when they do.
OF_SENDERS = ("sender_", "team")
IMPORT = "import"
# What happened longer ago has been replayed, or waited for long: the moment is over.
FRESH = timedelta(days=1)
# Into a paused one leads come, too, and wait: what happened meanwhile nobody looks at again.
TAKING = (models.Sequence.State.ACTIVE, models.Sequence.State.PAUSED)
CONDITIONS = TypeAdapter(list[Says])


class RuleFields(TypedDict, total=False):
    """What a rule holds; see `EntryRule`."""

    trigger: str
    conditions: Sequence[Mapping[str, str]]
    sender: User | None
    takes_imports: bool
    is_active: bool


def save_rule(rule: EntryRule, **fields: Unpack[RuleFields]) -> EntryRule:
    """Write a rule, a new one or a known one.

    Raises:
        ValidationError: by the name of the field.
    """
    for name, value in fields.items():
        setattr(rule, name, value)
    if rule.trigger not in TRIGGERS:
        raise ValidationError({"trigger": _("Choose what sets the rule off.")})
    rule.conditions = [each.model_dump(mode="json") for each in _checked(rule.conditions)]
    rule.save()
    return rule


def conditions_of(rule: EntryRule) -> list[Says]:
    """The conditions of a rule, all of which have to hold."""
    return CONDITIONS.validate_python(rule.conditions)


def enrol_by_rules(events: Iterable[Event], *, at: datetime | None = None) -> int:
    """Take in the leads that these events, of the current tenant, set a rule off for.

    Returns:
        How many came in; who may not, or is in the sequence already, is passed over.
    """
    now = at or timezone.now()
    fresh = [event for event in events if event.occurred_at > now - FRESH]
    rules = list(_rules_for({event.type for event in fresh})) if fresh else []
    if not rules:
        return 0
    leads = _leads_of(fresh)
    enrolled = 0
    for rule in rules:
        meant = [leads[lead_id] for lead_id in _meant_by(rule, fresh, leads)]
        if meant:
            how = {"sender": rule.sender, "rule": rule, "at": at}
            report = enrol_leads(meant, rule.sequence, source=Source.RULE, **how)  # type: ignore[arg-type]
            enrolled += len(report.enrolled)
    return enrolled


def enrol_suggested(event: Event, *, at: datetime | None = None) -> bool:
    """Take in a lead for which somebody has accepted a sequence that was proposed.

    Args:
        event: a `suggestion.accepted`; one of another kind is none of our business.

    Returns:
        Whether the lead came in; if not, its timeline tells why, since nobody waits for an answer.
    """
    payload = event.payload
    if payload["kind"] != "sequence":
        return False
    sequence = _sequence_called(payload["target"])
    lead = Lead.objects.filter(pk=payload["lead_id"]).first()
    if not sequence or not lead:
        return False
    if sequence.state == models.Sequence.State.ARCHIVED:
        return _tell_refused(lead, sequence, ARCHIVED)
    actor = User.objects.filter(pk=payload["actor_id"]).first() if payload["actor_id"] else None
    report = enrol_leads([lead], sequence, source=Source.AUTOPILOT, actor=actor, at=at)
    if refusal := report.refused.get(lead.pk):
        return _tell_refused(lead, sequence, refusal)
    return True


def _tell_refused(lead: Lead, sequence: models.Sequence, why: str) -> Literal[False]:
    publish(
        SequenceBlocked(
            lead_id=lead.pk,
            sequence_id=sequence.pk,
            sequence=sequence.name,
            reason=NOT_ENROLLED,
            names=[why],
        )
    )
    return False


def _checked(given: Sequence[Mapping[str, str]]) -> list[Says]:
    try:
        found = CONDITIONS.validate_python(list(given))
    except Unreadable:
        raise ValidationError({"conditions": _("A condition cannot be read.")}) from None
    for each in found:
        if not is_askable(each.name) or normal_name(each.name).startswith(OF_SENDERS):
            reason = _("There is no field “%(name)s”.")
            raise ValidationError({"conditions": reason % {"name": each.name}})
        if not each.value and each.operator not in (Operator.KNOWN, Operator.UNKNOWN):
            raise ValidationError({"conditions": _("Say what to compare with.")})
    return found


def _rules_for(types: Iterable[str]) -> Iterator[EntryRule]:
    rows = EntryRule.objects.filter(
        trigger__in=list(types), is_active=True, sequence__state__in=TAKING
    )
    yield from rows.select_related("sequence__published", "sequence__owner", "sender").order_by(
        "pk"
    )


def _leads_of(events: Sequence[Event]) -> dict[UUID, Lead]:
    rows = Lead.objects.filter(pk__in={event.subject_id for event in events})
    return {lead.pk: lead for lead in rows.prefetch_related("contact_points")}


def _meant_by(
    rule: EntryRule, events: Sequence[Event], leads: Mapping[UUID, Lead]
) -> dict[UUID, None]:
    conditions = conditions_of(rule)
    found: dict[UUID, None] = {}
    for event in events:
        lead = leads.get(event.subject_id) if event.subject_id else None
        if lead and _is_set_off(rule, conditions, event):
            values = values_of(lead)
            if all(holds(each.read(), values, {}) for each in conditions):
                found[lead.pk] = None
    return found


def _is_set_off(rule: EntryRule, conditions: Sequence[Says], event: Event) -> bool:
    if event.type != rule.trigger or (event.source == IMPORT and not rule.takes_imports):
        return False
    if event.type != EventType.LEAD_UPDATED or not conditions:
        return True
    # Who has been a “vip” for years does not come in because a phone number was corrected.
    names = {normal_name(each.name).partition(".")[0] for each in conditions}
    edited = {EDITED.get(name, name) for name in names} - NEVER_EDITED
    return not edited or bool(edited & set(event.payload["changes"]))


def _sequence_called(text: Any) -> models.Sequence | None:
    try:
        wanted = UUID(str(text))
    except ValueError:
        return None
    rows = models.Sequence.objects.filter(pk=wanted, published__isnull=False)
    found: models.Sequence | None = rows.select_related("published", "owner").first()
    return found
