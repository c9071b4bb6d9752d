"""Correcting one event: published anew in its place, the original's failures set aside."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import connection

from analytics.models import LeadFact
from analytics.rebuilding import rebuild_facts
from events import Payload, payloads, replay_event
from events.corrections import CorrectionRefused, TooLate, correct_event, correct_item
from events.models import Attempt, AuditLine, Delivery, Event, Replay
from events.payloads import MASKED, READ_ONLY
from events.publishing import Draft, publish_many
from events.replays import advance_running_replays, plan_replay, start
from events.selections import Selection
from events.testing import handler_of
from events.testing import settle_events as settle_pending_events
from leads.queries import lead_events
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_failed_event
from tests.events.payloads import AccountOpened, ThingHappened
from tests.events.threads import at_once
from tests.factories import make_tenant, make_user
from tests.leads.factories import make_lead

Settle = Callable[[], int]
TYPE = "thing.happened"

pytestmark = pytest.mark.django_db


class Picky:
    """A handler that cannot take some numbers, and remembers the others."""

    __name__ = "picky"

    def __init__(self) -> None:
        self.bad = {13}
        self.numbers: list[int] = []

    def __call__(self, event: Event) -> None:
        if event.payload["number"] in self.bad:
            raise ValueError(f"{event.payload['number']} brings bad luck")
        self.numbers.append(event.payload["number"])


def statuses_of(event: Event) -> dict[str, str]:
    """Handler → what became of the event there."""
    return dict(event.deliveries.values_list("handler", "status"))


def with_number(event: Event, number: Any) -> dict[str, Any]:
    return {**event.payload, "number": number}


def errors_of(event: Event, payload: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as caught:
        correct_event(event, payload, actor=None, reason="")
    found: dict[str, list[str]] = caught.value.message_dict
    return found


# --- What comes of it ---------------------------------------------------------------------------


def test_correction_runs_where_the_original_failed_and_nowhere_else(
    tenant: Tenant, settle_events: Settle
) -> None:
    picky, calls = Picky(), list[UUID]()
    event, actor = make_event(13), make_user(tenant)
    with (
        handler_of(TYPE, function=picky),
        handler_of(TYPE, function=lambda event: calls.append(event.id), name="easy_going"),
    ):
        settle_events()
        correction = correct_event(event, with_number(event, 14), actor=actor, reason="a typo")
        settle_events()
    correction.refresh_from_db()
    event.refresh_from_db()
    assert (picky.numbers, calls) == ([14], [event.id])
    assert statuses_of(correction) == {"picky": "succeeded", "easy_going": "skipped"}
    assert statuses_of(event) == {"picky": "skipped", "easy_going": "succeeded"}
    assert (event.status, event.error_message, correction.status) == ("processed", "", "processed")


def test_original_keeps_its_payload_and_the_record_of_its_failure(
    tenant: Tenant, settle_events: Settle
) -> None:
    event = make_event(13)
    with handler_of(TYPE, function=Picky()):
        settle_events()
        correction = correct_event(event, with_number(event, 14), actor=None, reason="a typo")
    event.refresh_from_db()
    [attempt] = Attempt.objects.filter(delivery__event=event)
    assert event.payload["number"] == 13
    assert "13 brings bad luck" in attempt.traceback
    assert event.deliveries.get().error == f"corrected by {correction.pk}"


def test_correction_says_what_the_original_said_but_for_what_was_edited(tenant: Tenant) -> None:
    event, actor = make_failed_event(), make_user(tenant)
    made = correct_event(event, with_number(event, 14), actor=actor, reason="a typo")
    correction = Event.unscoped.get(pk=made.pk)
    for name in ("tenant_id", "type", "subject_type", "subject_id", "occurred_at", "position"):
        assert getattr(correction, name) == getattr(event, name), name
    assert (correction.corrects_id, correction.source, correction.actor) == (
        event.pk,
        "admin",
        actor,
    )
    assert correction.payload == {**event.payload, "number": 14}


def test_correction_leaves_an_audit_line_without_values(tenant: Tenant) -> None:
    event, actor = make_failed_event(), make_user(tenant)
    correction = correct_event(event, with_number(event, 14), actor=actor, reason="a typo")
    line = AuditLine.objects.get(action="event.corrected")
    assert (line.actor, line.tenant, line.reason) == (actor, tenant, "a typo")
    assert (line.target_type, line.target_id) == ("event", str(event.pk))
    assert line.details == {
        "correction": str(correction.pk),
        "changed": ["/number"],
        "handlers": ["picky"],
    }


def test_ordered_handler_takes_the_correction_before_what_came_after_the_original(
    tenant: Tenant, settle_events: Settle
) -> None:
    picky, thing = Picky(), uuid7()
    drafts = [Draft(ThingHappened(thing_id=thing, number=number)) for number in (13, 20, 30)]
    events = publish_many(drafts)
    with handler_of(TYPE, function=picky, ordered=True):
        settle_events()
        assert picky.numbers == []
        correct_event(events[0], with_number(events[0], 10), actor=None, reason="a typo")
        settle_events()
    assert picky.numbers == [10, 20, 30]


def test_no_later_replay_runs_what_was_corrected(tenant: Tenant, settle_events: Settle) -> None:
    picky, event = Picky(), make_event(13)
    with handler_of(TYPE, function=picky):
        settle_events()
        correct_event(event, with_number(event, 14), actor=None, reason="a typo")
        replay_event(event.pk, reason="again")
        settle_events()
    assert picky.numbers == [14]
    assert Attempt.objects.filter(delivery__event=event).count() == 1


def test_correction_that_fails_can_be_corrected(tenant: Tenant, settle_events: Settle) -> None:
    picky, event = Picky(), make_event(13)
    with handler_of(TYPE, function=picky):
        settle_events()
        picky.bad.add(14)
        first = correct_event(event, with_number(event, 14), actor=None, reason="a typo")
        settle_events()
        second = correct_event(first, with_number(first, 15), actor=None, reason="another")
        settle_events()
    assert (first.corrects_id, second.corrects_id) == (event.pk, first.pk)
    assert picky.numbers == [15]


def test_handlers_with_external_effects_are_left_out_unless_asked_for(tenant: Tenant) -> None:
    with handler_of(TYPE, function=print, name="calls", effects="external", on_replay="skip"):
        event = make_failed_event(handlers=("picky", "calls"))
        correction = correct_event(event, with_number(event, 14), actor=None, reason="a typo")
        assert statuses_of(correction) == {"picky": "pending", "calls": "skipped"}
        event.refresh_from_db()
        assert (event.status, event.error_message) == ("failed", "calls: bad")
        with pytest.raises(CorrectionRefused, match="only handlers with external effects failed"):
            correct_event(event, with_number(event, 14), actor=None, reason="a typo")
        other = correct_event(
            event, with_number(event, 14), actor=None, reason="", include_external=True
        )
    event.refresh_from_db()
    assert statuses_of(other) == {"picky": "skipped", "calls": "pending"}
    assert event.status == "processed"


def test_only_the_named_handlers_get_the_correction(tenant: Tenant) -> None:
    event = make_failed_event(handlers=("picky", "other"))
    correction = correct_event(
        event, with_number(event, 14), actor=None, reason="a typo", handlers=["other"]
    )
    assert statuses_of(correction) == {"picky": "skipped", "other": "pending"}
    assert statuses_of(event) == {"picky": "failed", "other": "skipped"}


# --- Somebody was faster ------------------------------------------------------------------------


def test_second_correction_of_the_same_failure_is_refused(tenant: Tenant) -> None:
    event = make_failed_event()
    correct_event(event, with_number(event, 14), actor=None, reason="a typo")
    with pytest.raises(TooLate):
        correct_event(event, with_number(event, 15), actor=None, reason="a typo")
    assert Event.unscoped.filter(corrects_id=event.pk).count() == 1


def test_event_that_is_being_replayed_is_not_corrected(tenant: Tenant) -> None:
    event = make_failed_event()
    replay_event(event.pk, reason="again")
    with pytest.raises(TooLate, match="still pending"):
        correct_event(event, with_number(event, 14), actor=None, reason="a typo")


@pytest.mark.django_db(transaction=True)
def test_five_who_correct_at_once_make_one_correction() -> None:
    with tenant_context(make_tenant()):
        event = make_failed_event()

    def correct() -> bool:
        try:
            correct_event(event, with_number(event, 14), actor=None, reason="a typo")
        except TooLate:
            return False
        return True

    assert sorted(at_once(5, correct)) == [False, False, False, False, True]
    assert Event.unscoped.filter(corrects_id=event.pk).count() == 1


# --- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "path", "said"),
    [
        ({"number": "many"}, "number", "valid integer"),
        ({"colour": "red"}, "colour", "not permitted"),
        ({"thing_id": str(uuid7())}, "thing_id", "fixed"),
        ({"number": float("nan")}, "number", "too large"),
        ({"note": "a\x00b"}, "note", "Null characters"),
        ({"note": "\ud800"}, "note", "surrogate"),
        ({"note": "x"}, "note", "not permitted"),
    ],
)
def test_payload_that_cannot_be_is_refused_with_the_field(
    tenant: Tenant, given: dict[str, Any], path: str, said: str
) -> None:
    event = make_failed_event()
    assert said in errors_of(event, {**event.payload, **given})[path][0]
    assert Event.unscoped.count() == 1


def test_payload_that_is_nested_too_deeply_is_refused(tenant: Tenant) -> None:
    event, deep = make_failed_event(), list[Any]()
    for _level in range(40):
        deep = [deep]
    assert "nested" in errors_of(event, with_number(event, deep))["number"][0]


def test_payload_that_is_no_object_is_refused(tenant: Tenant) -> None:
    assert "JSON object" in errors_of(make_failed_event(), [1])["payload"][0]


def test_correction_that_changes_nothing_is_refused(tenant: Tenant) -> None:
    event = make_failed_event()
    for same in (event.payload, with_number(event, "13")):
        with pytest.raises(CorrectionRefused, match="nothing is changed"):
            correct_event(event, same, actor=None, reason="a typo")


def test_event_of_an_undeclared_type_is_refused(tenant: Tenant) -> None:
    event = make_failed_event()
    Event.unscoped.filter(pk=event.pk).update(type="gone.away")
    with pytest.raises(CorrectionRefused, match="no installed app declares"):
        correct_event(event, with_number(event, 14), actor=None, reason="a typo")


def test_refused_correction_leaves_everything_as_it_was(tenant: Tenant) -> None:
    event = make_failed_event()
    errors_of(event, with_number(event, "many"))
    event.refresh_from_db()
    assert (event.status, statuses_of(event)) == ("failed", {"picky": "failed"})
    assert not AuditLine.objects.exists()


# --- Fields that are masked or read-only --------------------------------------------------------


def test_masked_read_only_and_subject_fields_are_fixed(tenant: Tenant) -> None:
    assert AccountOpened.masked_fields() == {"secret"}
    assert AccountOpened.fixed_fields() == {"secret", "number", "account_id"}
    account = AccountOpened(account_id=uuid7(), number="1", secret="hush")
    [event] = publish_many([Draft(account)])
    Event.unscoped.filter(pk=event.pk).update(status="failed")
    Delivery.objects.create(event=event, handler="picky", status="failed")
    for name in ("secret", "number"):
        errors = errors_of(event, {**event.payload, name: "2", "owner": "Lena"})
        assert "fixed" in errors[name][0]
        assert "hush" not in str(errors)
    correction = correct_event(event, {**event.payload, "owner": "Lena"}, actor=None, reason="")
    assert correction.payload["secret"] == "hush"


@pytest.mark.parametrize("mark", [MASKED, READ_ONLY])
def test_mark_within_a_fields_type_is_refused(mark: payloads.Mark) -> None:
    with pytest.raises(ImproperlyConfigured, match="marked within its type"):

        class Nested(Payload, type="nested.marked"):
            secret: Annotated[str, mark] | None

    payloads._payload_types.pop("nested.marked")


# --- As an item of a replay ---------------------------------------------------------------------


def make_replay(*changes: dict[str, Any], **fields: Any) -> Replay:
    patch = list(changes) or [{"op": "set", "path": "/number", "value": 14}]
    return Replay.objects.create(kind=Replay.Kind.CORRECTION, patch=patch, **fields)


def test_item_is_corrected_by_the_patch_of_its_replay(
    tenant: Tenant, settle_events: Settle
) -> None:
    picky, event = Picky(), make_failed_event()
    replay = make_replay(actor=make_user(tenant))
    with handler_of(TYPE, function=picky):
        correction = correct_item(replay, event)
        assert isinstance(correction, Event)
        settle_events()
    correction.refresh_from_db()
    assert picky.numbers == [14]
    assert (correction.corrects_id, correction.actor_id) == (event.pk, replay.actor_id)
    assert correction.deliveries.get().replay_id == replay.pk
    # The replay has one line for all.
    assert not AuditLine.objects.exists()


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ([{"op": "remove", "path": "/colour"}], "there is no /colour in it"),
        ([{"op": "set", "path": "/number", "value": "x"}], "number: Input should be a valid inte"),
        ([{"op": "set", "path": "/number", "value": 13}], "nothing is changed"),
        ([{"op": "set", "path": "/thing_id", "value": "x"}], "thing_id: This field is fixed"),
    ],
)
def test_item_that_the_patch_does_not_fit_is_left_alone_and_says_why(
    tenant: Tenant, changes: list[dict[str, Any]], note: str
) -> None:
    event = make_failed_event()
    said = correct_item(make_replay(*changes), event)
    assert isinstance(said, str)
    assert said.startswith(note)
    assert statuses_of(event) == {"picky": "failed"}


def test_item_that_failed_at_some_of_the_replays_handlers_is_corrected_for_those(
    tenant: Tenant,
) -> None:
    event = make_failed_event()
    correction = correct_item(make_replay(handlers=["picky", "other"]), event)
    assert isinstance(correction, Event)
    assert statuses_of(correction) == {"picky": "pending"}


def test_item_whose_event_is_gone_or_was_mended_says_so(tenant: Tenant) -> None:
    event = make_failed_event()
    Delivery.objects.update(status="succeeded")
    Event.unscoped.update(status="processed")
    assert correct_item(make_replay(), event) == (
        "nothing to correct: no handler of this event failed"
    )
    Event.unscoped.all().delete()
    assert correct_item(make_replay(), event) == "the event was pruned"


def test_item_nested_too_deeply_to_be_read_says_so(tenant: Tenant) -> None:
    event = make_failed_event()
    with connection.cursor() as cursor:
        deep = "[" * 5000 + "]" * 5000
        cursor.execute("UPDATE events SET payload = jsonb_build_object('x', %s::jsonb)", [deep])
    assert correct_item(make_replay(), event) == "its payload is nested too deeply"


# --- What others make of it ---------------------------------------------------------------------


def test_lead_and_its_figures_are_told_by_the_correction_alone(tenant: Tenant) -> None:
    lead = make_lead(value=10)
    settle_pending_events()
    [event] = lead_events(lead)
    Event.unscoped.filter(pk=event.pk).update(status="failed")
    event.deliveries.update(status="failed")
    LeadFact.objects.all().delete()
    correction = correct_event(event, {**event.payload, "value": "20"}, actor=None, reason="typo")
    settle_pending_events()
    assert list(lead_events(lead)) == [correction]
    assert LeadFact.objects.get().value == 20
    rebuild_facts(tenant)
    assert LeadFact.objects.get().value == 20


def test_patch_that_cures_nothing_is_stopped_by_its_canary(
    tenant: Tenant, settle_events: Settle
) -> None:
    picky, actor = Picky(), make_user(tenant)
    picky.bad.add(14)
    events = [make_event(13) for _each in range(3)]
    with handler_of(TYPE, function=picky):
        settle_events()
        replay = plan_replay(
            Selection(handler="picky"),
            Event.unscoped.all(),
            actor=actor,
            kind=Replay.Kind.CORRECTION,
            patch=[{"op": "set", "path": "/number", "value": 14}],
        )
        start(replay, actor=actor, reason="a typo", has_canary=True)
        for _turn in range(3):
            advance_running_replays()
            settle_events()
    replay.refresh_from_db()
    [item] = replay.items.exclude(correction_id=None)
    assert (replay.status, replay.failed, item.status) == ("stopped", 1, "failed")
    assert item.came_back
    statuses = [statuses_of(event)["picky"] for event in events]
    assert statuses == ["skipped", "failed", "failed"]
    assert Event.unscoped.filter(corrects_id__isnull=False).get().status == "failed"
