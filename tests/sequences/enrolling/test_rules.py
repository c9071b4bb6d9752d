"""Entry rules: what happens takes leads in, and what happened does not."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from channels.sequences.executing import advance_due
from channels.sequences.models import Enrolment, EntryRule
from channels.sequences.pausing import pause_sequence
from channels.sequences.payloads import SequenceBlocked
from channels.sequences.rules import enrol_by_rules, enrol_suggested, save_rule
from channels.sequences.timeline import describe_blocked
from channels.sequences.versions import archive_sequence
from events.models import Event
from events.publishing import publish
from events.testing import assert_not_published, assert_published
from leads.models import Lead
from leads.payloads import LeadCreated
from leads.services import assign_lead, edit_lead, move_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant, make_user
from tests.leads.factories import stage_called
from tests.sequences.engine.factories import enrol_one, mail, make_contact, make_sequence

pytestmark = pytest.mark.usefixtures("tenant")


def make_rule(
    trigger: str = "lead.created", *conditions: dict[str, str], **fields: Any
) -> EntryRule:
    sequence = fields.pop("sequence", None) or make_sequence(mail())
    rule = EntryRule(sequence=sequence)
    return save_rule(rule, trigger=trigger, conditions=conditions, **fields)


def asked(name: str, value: str = "", operator: str = "is") -> dict[str, str]:
    return {"name": name, "operator": operator, "value": value}


def last(event_type: str) -> Event:
    found: Event | None = Event.objects.filter(type=event_type).order_by("position").last()
    assert found
    return found


def came_in(rule: EntryRule) -> list[Lead]:
    rows = Enrolment.objects.filter(sequence=rule.sequence).select_related("lead")
    return [row.lead for row in rows.order_by("pk")]


def test_new_lead_comes_in() -> None:
    grace = make_user()
    rule = make_rule(sender=grace)
    lead = make_contact()
    assert enrol_by_rules([last("lead.created")]) == 1
    [row] = Enrolment.objects.all()
    assert (row.lead, row.source, row.rule, row.sender) == (lead, "rule", rule, grace)


def test_only_what_the_rule_waits_for_takes_in() -> None:
    rule = make_rule("lead.stage_changed", asked("stage", str(stage_called("Proposal").pk)))
    lead = make_contact()
    assert enrol_by_rules([last("lead.created")]) == 0
    move_lead(lead, stage_called("Qualified"))
    assert enrol_by_rules([last("lead.stage_changed")]) == 0
    move_lead(lead, stage_called("Proposal"))
    assert enrol_by_rules([last("lead.stage_changed")]) == 1
    assert came_in(rule) == [lead]


def test_assigned_lead_comes_in(tenant: Tenant) -> None:
    make_rule("lead.assigned")
    assign_lead(make_contact(), make_user(tenant))
    assert enrol_by_rules([last("lead.assigned")]) == 1


CUSTOM = {"Size": 250, "Team mates": ["Ann", "Bob"], "Is paying": True}


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ([asked("source", "fair")], True),
        ([asked("source", "Fair ")], True),
        ([asked("source", "web")], False),
        ([asked("tag", "vip")], True),
        ([asked("tag", "vip"), asked("source", "web")], False),
        ([asked("tag", "vip", "is_not")], False),
        ([asked("tag", "gold", "is_not")], True),
        ([asked("tag", operator="known")], True),
        ([asked("company", "eng", "contains")], True),
        ([asked("company", operator="unknown")], False),
        ([asked("custom.size", "100", "above")], True),
        ([asked("custom.size", "300", "above")], False),
        ([asked("custom.none", operator="unknown")], True),
        # Names are written as in texts.
        ([asked("Company", "Engines")], True),
        ([asked("custom.Size", "100", "above")], True),
        ([asked("custom.Team mates", operator="unknown")], False),
        ([asked("custom.team_mates", "Bob")], True),
        ([asked("custom.team_mates", "Eve")], False),
        ([asked("custom.Is paying", "true")], True),
        ([asked("custom.Is paying", operator="known")], True),
    ],
)
def test_all_conditions_have_to_hold(conditions: list[dict[str, str]], holds: bool) -> None:
    rule = make_rule("lead.created", *conditions)
    make_contact(source="fair", company="Engines", tags=["new", "vip"], custom_fields=CUSTOM)
    enrol_by_rules([last("lead.created")])
    assert bool(came_in(rule)) == holds


def test_edit_of_a_name_is_one_of_its_first_part() -> None:
    rule = make_rule("lead.updated", asked("first_name", operator="known"))
    lead = make_contact(name="ada@example.com")
    edit_lead(lead, company="Engines")
    enrol_by_rules([last("lead.updated")])
    assert came_in(rule) == []
    edit_lead(lead, name="Ada Lovelace")
    enrol_by_rules([last("lead.updated")])
    assert came_in(rule) == [lead]


def test_any_edit_takes_in_where_nothing_is_asked_that_edits_change(tenant: Tenant) -> None:
    lead = make_contact()
    rule = make_rule("lead.updated", asked("stage", str(lead.stage_id)))
    edit_lead(lead, company="Engines")
    enrol_by_rules([last("lead.updated")])
    assert came_in(rule) == [lead]


def test_edit_takes_in_only_where_it_is_about_what_is_asked() -> None:
    rule = make_rule("lead.updated", asked("tag", "vip"))
    lead = make_contact(tags=["vip"])
    edit_lead(lead, company="Engines")
    assert enrol_by_rules([last("lead.updated")]) == 0
    edit_lead(lead, tags=["vip", "gold"])
    assert enrol_by_rules([last("lead.updated")]) == 1
    assert came_in(rule) == [lead]


def test_import_takes_nobody_in_unless_the_rule_says_so() -> None:
    careful, eager = make_rule(), make_rule(takes_imports=True)
    lead = make_contact()
    event = publish(LeadCreated(lead_id=lead.pk, source="import"), source="import")
    enrol_by_rules([event])
    assert came_in(careful) == []
    assert came_in(eager) == [lead]


def test_what_happened_long_ago_takes_nobody_in() -> None:
    make_rule()
    make_contact()
    event = last("lead.created")
    assert enrol_by_rules([event], at=timezone.now() + timedelta(days=2)) == 0
    event.occurred_at -= timedelta(days=2)
    assert enrol_by_rules([event]) == 0


def test_same_event_twice_takes_in_once() -> None:
    make_rule()
    make_contact()
    event = last("lead.created")
    assert [enrol_by_rules([event]), enrol_by_rules([event, event])] == [1, 0]


def test_rule_rests_with_its_sequence_and_when_it_is_switched_off() -> None:
    archived, running = make_sequence(mail()), make_sequence(mail())
    make_rule(sequence=archived)
    make_rule(sequence=running, is_active=False)
    archive_sequence(archived, actor=None)
    make_contact()
    assert enrol_by_rules([last("lead.created")]) == 0


def test_rule_takes_leads_into_a_paused_sequence_where_they_wait() -> None:
    rule = make_rule()
    pause_sequence(rule.sequence, actor=None)
    lead = make_contact()
    assert enrol_by_rules([last("lead.created")]) == 1
    assert came_in(rule) == [lead]
    advance_due(at=timezone.now())
    assert Enrolment.objects.get().delay == "held"


def test_rules_of_another_team_take_nobody_in() -> None:
    with tenant_context(make_tenant()):
        theirs = make_rule()
    make_contact()
    assert enrol_by_rules([last("lead.created")]) == 0
    assert not Enrolment.unscoped.filter(sequence=theirs.sequence).exists()


def test_many_events_take_as_many_statements_as_one(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_rule()
    for _ in range(20):
        make_contact()
    events = list(Event.objects.filter(type="lead.created"))
    with django_assert_max_num_queries(25):
        assert enrol_by_rules(events) == 20


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"trigger": "message.sent"}, "trigger"),
        ({"conditions": [asked("colour", "red")]}, "conditions"),
        ({"conditions": [asked("source")]}, "conditions"),
        ({"conditions": [asked("team", "Acme")]}, "conditions"),
        ({"conditions": [asked("Sender name", "Ada")]}, "conditions"),
        ({"conditions": [{"name": "source", "operator": "likes"}]}, "conditions"),
    ],
)
def test_wrong_rule_is_refused(fields: dict[str, Any], name: str) -> None:
    rule = EntryRule(sequence=make_sequence(mail()), trigger="lead.created", conditions=[])
    with pytest.raises(ValidationError) as error:
        save_rule(rule, **fields)
    assert list(error.value.message_dict) == [name]


class Suggested:
    """A suggestion that somebody has accepted, as its event tells it."""

    def __init__(self, lead: Lead, target: Any, **payload: Any) -> None:
        told = {"kind": "sequence", "lead_id": str(lead.pk), "target": str(target)}
        self.payload = {"actor_id": None, **told, **payload}


def test_accepted_suggestion_takes_the_lead_in(tenant: Tenant) -> None:
    lead, sequence, ada = make_contact(), make_sequence(mail()), make_user(tenant)
    event: Any = Suggested(lead, sequence.pk, actor_id=ada.pk)
    assert enrol_suggested(event)
    [row] = Enrolment.objects.all()
    assert (row.source, row.enrolled_by) == ("autopilot", ada)


def test_suggestion_of_something_else_is_left_alone() -> None:
    lead, sequence = make_contact(), make_sequence(mail())
    with tenant_context(make_tenant()):
        theirs = make_sequence(mail())
    for target, kind in (
        (sequence.pk, "task"),
        (theirs.pk, "sequence"),
        ("nonsense", "sequence"),
    ):
        event: Any = Suggested(lead, target, kind=kind)
        assert not enrol_suggested(event)
    assert not Enrolment.unscoped.exists()
    assert_not_published(SequenceBlocked)


def test_suggestion_that_cannot_be_followed_is_told_on_the_leads_timeline() -> None:
    lead, sequence = make_contact(), make_sequence(mail())
    enrol_one(sequence, lead)
    archived = make_sequence(mail())
    archive_sequence(archived, actor=None)
    for target, why, words in (
        (archived, "archived", "it is archived: nobody comes in any more"),
        (sequence, "already", "the lead is in it already"),
    ):
        event: Any = Suggested(lead, target.pk)
        assert not enrol_suggested(event)
        blocked = assert_published(
            SequenceBlocked, sequence_id=target.pk, reason="not_enrolled", names=[why]
        )
        told = describe_blocked(blocked)
        assert told
        assert (told.problem, f"<b>{target.name}</b> did not begin") == (words, told.text)
    assert Enrolment.objects.count() == 1
