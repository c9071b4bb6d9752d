"""What people see of failures, and what they decide about them."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from events import audit
from events.failures import queries, triage
from events.failures.queries import (
    MOST_STANDING,
    SLOTS,
    failing_handlers,
    failures_seen,
    possible_owners,
    seen_failure,
    tenants_hit,
)
from events.failures.triage import Triaged
from events.models import AuditLine, Delivery, Event, FailureCount, FailureGroup
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Membership, Tenant, User
from tests.events.factories import make_events, make_failure
from tests.events.switches import Switch
from tests.events.threads import at_once
from tests.factories import make_tenant, make_user
from tests.staff import make_staff, make_superuser

pytestmark = pytest.mark.django_db
State = FailureGroup.State
Verb = Callable[..., Triaged]


def make_failure_of(tenant: Tenant, events: int = 1, **options: Any) -> FailureGroup:
    with tenant_context(tenant):
        return make_failure(events, **options)


def states() -> dict[str, str]:
    """Tenant → state."""
    return dict(FailureGroup.unscoped.values_list("tenant__slug", "state"))


def lines() -> QuerySet[AuditLine]:
    """What was done, in its order, without what single tenants are told of it."""
    return AuditLine.objects.filter(part_of=None).order_by("id")


def actions() -> list[str]:
    return list(lines().values_list("action", flat=True))


@pytest.fixture
def other(tenant: Tenant) -> Tenant:
    return make_tenant("other")


# --- What is seen -------------------------------------------------------------------------------


def test_failure_of_several_tenants_is_one_to_who_sees_them_all(
    tenant: Tenant, other: Tenant
) -> None:
    group = make_failure_of(tenant, 2)
    make_failure_of(other, 3)
    [seen] = failures_seen(make_superuser())
    assert (seen.fingerprint, seen.handler, seen.frame) == (
        group.fingerprint,
        "greet",
        "tests.events.switches:Switch.__call__",
    )
    assert (seen.title, seen.tenants) == ("ValueError: no good", 2)
    assert (seen.occurrences, seen.standing, seen.standing_label) == (5, 5, "5")
    assert (sum(seen.spark), len(seen.spark), seen.spark[-1]) == (5, SLOTS, 5)
    assert seen.first_seen == group.first_seen_at
    assert seen.last_seen == FailureGroup.unscoped.get(tenant=other).last_seen_at
    assert seen.traceback == ""


def test_staff_of_a_tenant_see_its_share_alone(tenant: Tenant, other: Tenant) -> None:
    group = make_failure_of(tenant, 2)
    make_failure_of(other, 3)
    staff, stranger = make_staff(tenant), make_staff(make_tenant("third"))
    [seen] = failures_seen(staff)
    assert (seen.occurrences, seen.standing, seen.tenants, sum(seen.spark)) == (2, 2, 1, 2)
    assert seen_failure(staff, group.fingerprint).traceback.startswith("Traceback")
    assert [hit.tenant for hit in tenants_hit(staff, group.fingerprint)] == [tenant]
    assert failures_seen(stranger) == []
    assert tenants_hit(stranger, group.fingerprint) == []
    assert (failing_handlers(staff), failing_handlers(stranger)) == (["greet"], [])
    with pytest.raises(FailureGroup.DoesNotExist):
        seen_failure(stranger, group.fingerprint)


def test_state_of_a_failure_is_the_one_that_asks_most(tenant: Tenant, other: Tenant) -> None:
    make_failure_of(tenant)
    make_failure_of(other)
    user = make_superuser()
    for mine, theirs, merged in (
        ("open", "resolved", "open"),
        ("muted", "acknowledged", "acknowledged"),
        ("resolved", "muted", "muted"),
        ("resolved", "resolved", "resolved"),
    ):
        FailureGroup.unscoped.filter(tenant=tenant).update(state=mine)
        FailureGroup.unscoped.filter(tenant=other).update(state=theirs)
        for state in State.values:
            found = [seen.state for seen in failures_seen(user, state=state)]
            assert found == ([merged] if state == merged else [])


def test_failures_are_narrowed_and_sorted(tenant: Tenant) -> None:
    for events, name in ((2, "first"), (3, "second"), (1, "third")):
        make_failure(events, handler=name)
    make_failure(handler="first")
    user = make_superuser()

    def names(**options: Any) -> list[str]:
        return [seen.handler for seen in failures_seen(user, **options)]

    assert names() == ["first", "third", "second"]
    assert names(order="first_seen") == ["third", "second", "first"]
    assert set(names(order="occurrences")[:2]) == {"first", "second"}
    assert names(handler="second") == ["second"]
    assert names(limit=1) == ["first"]


def test_owner_note_and_ticket_are_the_last_that_were_given(tenant: Tenant, other: Tenant) -> None:
    group = make_failure_of(tenant)
    make_failure_of(other)
    mine, theirs = make_staff(tenant), make_staff(other)
    triage.assign(mine, group.fingerprint, mine)
    triage.annotate(mine, group.fingerprint, "ours", "https://example.com/1")
    seen = seen_failure(make_superuser(), group.fingerprint)
    assert (seen.owner, seen.note, seen.ticket_url) == (mine, "ours", "https://example.com/1")
    seen = seen_failure(theirs, group.fingerprint)
    assert (seen.owner, seen.note, seen.ticket_url) == (None, "", "")


def test_what_was_replayed_stands_no_longer(tenant: Tenant) -> None:
    make_failure(3)
    Delivery.objects.filter(pk=Delivery.objects.first().pk).update(status="succeeded")  # type: ignore[union-attr]
    [seen] = failures_seen(make_superuser())
    assert (seen.occurrences, seen.standing) == (3, 2)


def test_count_of_what_stands_ends_at_a_thousand(tenant: Tenant) -> None:
    group = make_failure()
    Delivery.objects.bulk_create(
        Delivery(event_id=uuid7(), handler="greet", status="failed", group_id=group.pk)
        for _number in range(MOST_STANDING - 1)
    )
    [seen] = failures_seen(make_superuser())
    assert (seen.standing, seen.has_more, seen.standing_label) == (1000, False, "1,000")
    Delivery.objects.create(event_id=uuid7(), handler="greet", status="failed", group_id=group.pk)
    [seen] = failures_seen(make_superuser())
    assert (seen.standing, seen.has_more, seen.standing_label) == (1000, True, "1,000+")


def test_sparkline_has_the_last_day_by_half_hours(tenant: Tenant) -> None:
    group = make_failure()
    now = timezone.now()
    half_hour = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)
    FailureCount.objects.all().delete()
    for minutes, occurrences in ((0, 1), (-10, 2), (-30, 3), (-47 * 30, 4), (-47 * 30 - 10, 9)):
        moment = half_hour + timedelta(minutes=minutes)
        FailureCount.objects.create(group=group, bucket_at=moment, occurrences=occurrences)
    [seen] = failures_seen(make_superuser())
    if timezone.now() < half_hour + timedelta(minutes=30):
        assert seen.spark == [4, *[0] * 45, 5, 1]


def test_pages_cost_the_same_for_any_number_of_failures(
    tenant: Tenant, other: Tenant, django_assert_num_queries: Any
) -> None:
    user = make_superuser()
    group = make_failure()
    triage.assign(user, group.fingerprint, user)

    def read() -> None:
        # Failures and their owners; the two that count are the driver's own.
        with django_assert_num_queries(2):
            failures_seen(user)
        with django_assert_num_queries(3):
            seen_failure(user, group.fingerprint)
        with django_assert_num_queries(1):
            tenants_hit(user, group.fingerprint)

    read()
    for number in range(4):
        make_failure_of(other, handler=f"other{number}")
        make_failure_of(make_tenant(), handler="greet")
    read()


@pytest.mark.parametrize(
    ("statement", "index"),
    [(queries.STANDING, "deliveries_failed_by_group"), (queries.SPARKS, "failure_counts_pkey")],
)
def test_counts_are_read_by_index(tenant: Tenant, statement: str, index: str) -> None:
    """With so many rows that no other way is as short."""
    Delivery.objects.bulk_create(
        Delivery(event_id=uuid7(), handler="greet", status="failed", group_id=number % 40)
        for number in range(4000)
    )
    values: dict[str, Any] = {"ids": [1, 2], "numbers": [0, 1], "most": 1001, "slots": SLOTS}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ANALYZE deliveries")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert index in plan, plan
    assert "Seq Scan" not in plan


def test_others_are_called_so(tenant: Tenant) -> None:
    group = make_failure()
    FailureGroup.unscoped.filter(pk=group.pk).update(error_type="", message="Other failures")
    [seen] = failures_seen(make_superuser())
    assert (seen.title, seen.is_others) == ("Other failures", True)


# --- States -------------------------------------------------------------------------------------

VERBS: dict[str, tuple[Verb, str]] = {
    "acknowledge": (triage.acknowledge, State.ACKNOWLEDGED),
    "mute": (triage.mute, State.MUTED),
    "resolve": (triage.resolve, State.RESOLVED),
    "reopen": (triage.reopen, State.OPEN),
}
# From → the verbs that lead elsewhere from there.
WAYS = {
    State.OPEN: {"acknowledge", "mute", "resolve"},
    State.ACKNOWLEDGED: {"mute", "resolve", "reopen"},
    State.MUTED: {"acknowledge", "resolve", "reopen"},
    State.RESOLVED: {"reopen"},
}


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("start", State.values)
def test_each_state_is_reached_from_where_it_may_be(tenant: Tenant, start: str, name: str) -> None:
    verb, target = VERBS[name]
    group = make_failure()
    FailureGroup.objects.update(state=start)
    before = FailureGroup.objects.values().get()
    user = make_staff(tenant)
    done = verb(user, group.fingerprint, note="because")
    after = FailureGroup.objects.values().get()
    goes = name in WAYS[State(start)]
    assert (done.changed, done.came_too_late) == (int(goes), not goes)
    assert after["state"] == done.state == (target if goes else start)
    if goes:
        assert after["state_changed_at"] > before["state_changed_at"]
        assert after["note"] == "because"
    else:
        assert after == before
    line = AuditLine.objects.get()
    assert line.action == triage.ACTIONS[State(target)]
    assert (line.actor, line.tenant, line.reason) == (user, tenant, "because")
    assert (line.target_type, line.target_id) == ("failuregroup", str(group.fingerprint))
    assert (line.details["before"], line.details["changed"]) == ([start], int(goes))


def test_superuser_decides_for_all_tenants_and_staff_for_their_own(
    tenant: Tenant, other: Tenant
) -> None:
    group = make_failure_of(tenant)
    make_failure_of(other)
    done = triage.mute(make_staff(tenant), group.fingerprint)
    assert (done, states()) == (Triaged(1, "muted"), {"acme": "muted", "other": "open"})
    done = triage.acknowledge(make_superuser(), group.fingerprint)
    assert done == Triaged(2, "acknowledged")
    assert [line.tenant for line in lines()] == [tenant, None]


def test_each_tenant_reads_what_somebody_decided_for_several(tenant: Tenant, other: Tenant) -> None:
    """Its own part of it alone, and nothing where nothing changed."""
    group, root = make_failure_of(tenant), make_superuser()
    make_failure_of(other)
    make_failure_of(third := make_tenant("third"))
    FailureGroup.unscoped.filter(tenant=other).update(state="muted")
    FailureGroup.unscoped.filter(tenant=third).update(state="resolved")
    triage.resolve(root, group.fingerprint, "mended in 1.2")
    target = (triage.TARGET, str(group.fingerprint))
    for reader, before in ((tenant, "open"), (other, "muted")):
        [line] = audit.lines_about(target, make_staff(reader))
        assert (line.action, line.actor, line.tenant) == ("failure.resolved", root, reader)
        assert line.reason == "mended in 1.2"
        told = {"handler": "greet", "error": "ValueError"}
        assert line.details == told | {"changed": 1, "before": [before], "fields": ["note"]}
    assert not audit.lines_about(target, make_staff(third)).exists()
    [whole] = audit.lines_about(target, root)
    assert (whole.tenant, whole.details["changed"]) == (None, 2)


def test_who_decides_for_several_tenants_reads_one_line(tenant: Tenant, other: Tenant) -> None:
    group, both = make_failure_of(tenant), make_staff(tenant, other)
    make_failure_of(other)
    triage.assign(both, group.fingerprint, both)
    triage.annotate(both, group.fingerprint, "known")
    seen = audit.lines_about((triage.TARGET, str(group.fingerprint)), both)
    assert [line.tenant for line in seen] == [None, None]


def test_failure_that_a_person_reopens_has_not_come_back(tenant: Tenant) -> None:
    group, user = make_failure_of(tenant), make_superuser()
    FailureGroup.unscoped.update(reopened_at=timezone.now() - timedelta(days=60))
    assert seen_failure(user, group.fingerprint).has_come_back
    triage.resolve(user, group.fingerprint)
    triage.reopen(user, group.fingerprint)
    seen = seen_failure(user, group.fingerprint)
    assert (seen.state, seen.has_come_back, seen.reopened_at) == ("open", False, None)


@pytest.mark.parametrize("name", [*VERBS, "assign", "annotate"])
def test_staff_of_another_tenant_change_nothing(tenant: Tenant, other: Tenant, name: str) -> None:
    group = make_failure_of(tenant)
    stranger = make_staff(other)
    before = FailureGroup.unscoped.values().get()
    verb: Any = getattr(triage, name)
    with pytest.raises(FailureGroup.DoesNotExist):
        verb(stranger, group.fingerprint, stranger if name == "assign" else "mine now")
    assert FailureGroup.unscoped.values().get() == before
    assert actions() == []


def test_what_is_rolled_back_leaves_no_line(tenant: Tenant) -> None:
    group = make_failure()
    with transaction.atomic():
        triage.mute(make_superuser(), group.fingerprint)
        transaction.set_rollback(True)
    assert (states(), actions()) == ({"acme": "open"}, [])


# --- Several people at once ---------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_five_who_resolve_at_once_do_it_once_and_are_all_on_record(
    tenant: Tenant, other: Tenant
) -> None:
    group = make_failure_of(tenant)
    make_failure_of(other)
    users = iter([make_superuser() for _number in range(5)])
    done = at_once(5, lambda: triage.resolve(next(users), group.fingerprint))
    assert sorted(each.changed for each in done) == [0, 0, 0, 0, 2]
    assert states() == {"acme": "resolved", "other": "resolved"}
    assert len({line.actor_id for line in lines()}) == 5
    assert sorted(line.details["changed"] for line in lines()) == [0, 0, 0, 0, 2]


@pytest.mark.django_db(transaction=True)
def test_five_who_decide_about_several_at_once_wait_for_each_other_in_no_circle(
    tenant: Tenant, other: Tenant
) -> None:
    prints = [make_failure(error=error).fingerprint for error in ("one", "two", "three")]
    users = [make_superuser() for _number in range(5)]
    turns = count()

    def act() -> int:
        turn = next(turns)
        order = prints if turn % 2 else prints[::-1]
        return triage.change_states(State.MUTED, users[turn], order)

    assert sorted(at_once(5, act)) == [0, 0, 0, 0, 3]
    assert len(lines()) == 15


@pytest.mark.django_db(transaction=True)
def test_five_who_do_different_things_at_once_do_no_harm(tenant: Tenant, other: Tenant) -> None:
    group = make_failure_of(tenant)
    make_failure_of(other)
    users = [make_superuser() for _number in range(5)]
    verbs: list[Any] = [triage.acknowledge, triage.mute, triage.resolve, triage.annotate]
    turns = count()

    def act() -> Triaged:
        turn = next(turns)
        user = users[turn]
        if turn == 4:
            return triage.assign(user, group.fingerprint, user)
        done: Triaged = verbs[turn](user, group.fingerprint, f"note {turn}")
        return done

    at_once(5, act)
    assert len(set(states().values())) == 1
    assert states()["acme"] in {"muted", "resolved", "acknowledged"}
    assert len(actions()) == 5
    assert set(FailureGroup.unscoped.values_list("owner", flat=True)) == {users[4].pk}


@pytest.mark.django_db(transaction=True)
def test_five_who_write_what_they_saw_unwritten_write_once_and_are_all_on_record(
    tenant: Tenant, other: Tenant
) -> None:
    group = make_failure_of(tenant)
    make_failure_of(other)
    users = [make_superuser() for _number in range(5)]
    seen = seen_failure(users[0], group.fingerprint).known.versions
    turns = count()

    def write() -> Triaged:
        turn = next(turns)
        user = users[turn]
        return triage.annotate(user, group.fingerprint, f"note {turn}", "", seen=seen)

    done = at_once(5, write)
    assert sorted(each.changed for each in done) == [0, 0, 0, 0, 2]
    assert sorted(each.conflicts for each in done) == [(), *[("note",)] * 4]
    [winner] = [line for line in lines() if line.details["changed"]]
    assert set(FailureGroup.unscoped.values_list("note", flat=True)) == {winner.reason}
    assert lines().count() == 5
    assert len(set(lines().values_list("actor", flat=True))) == 5


@pytest.mark.django_db(transaction=True)
def test_people_and_workers_do_not_wait_for_each_other_in_a_circle(
    tenant: Tenant, other: Tenant
) -> None:
    group = make_failure_of(tenant)
    make_failure_of(other)
    events = make_events(6)
    with tenant_context(other):
        events += make_events(6)
    batches = iter([[event.id for event in events[turn::6]] for turn in range(6)])
    user = make_superuser()
    turns = count()

    def act() -> None:
        is_worker = next(turns) % 2
        for _round in range(3):
            if is_worker:
                settle(next(batches))
            else:
                triage.resolve(user, group.fingerprint)

    switch = Switch()
    switch.error = ValueError("no good")
    with handler_of("thing.happened", function=switch, name="greet"):
        at_once(4, act)
    groups = FailureGroup.unscoped.filter(fingerprint=group.fingerprint)
    assert list(groups.values_list("occurrences", flat=True)) == [7, 7]
    assert Event.unscoped.filter(status="failed").count() == 14
    assert actions() == ["failure.resolved"] * 6


# --- What is known ------------------------------------------------------------------------------


def test_failure_is_somebodys_where_they_may_see_it(tenant: Tenant, other: Tenant) -> None:
    group = make_failure_of(tenant)
    make_failure_of(other)
    owner, user = make_staff(tenant), make_superuser()
    assert triage.assign(user, group.fingerprint, owner).changed == 1
    assert triage.assign(user, group.fingerprint, owner).came_too_late
    owners = dict(FailureGroup.unscoped.values_list("tenant__slug", "owner"))
    assert owners == {"acme": owner.pk, "other": None}
    assert triage.assign(user, group.fingerprint, None).changed == 1
    assert actions() == ["failure.assigned"] * 3
    assert AuditLine.objects.order_by("id")[0].details["owner"] == str(owner)


def test_nobody_owns_what_they_cannot_see(tenant: Tenant, other: Tenant) -> None:
    group = make_failure_of(tenant)
    left = make_staff(tenant)
    User.objects.filter(pk=left.pk).update(is_active=False)
    left.refresh_from_db()
    rep = make_user(tenant, Membership.Role.REP)
    for owner in (make_staff(other), left, rep):
        with pytest.raises(ValidationError) as caught:
            triage.assign(make_superuser(), group.fingerprint, owner)
        assert list(caught.value.message_dict) == ["owner"]
    assert actions() == []


def test_owners_to_choose_from_are_the_staff_that_one_sees(tenant: Tenant, other: Tenant) -> None:
    mine, theirs = make_staff(tenant), make_staff(other)
    make_user(tenant)
    superuser = make_superuser()
    assert set(possible_owners(mine)) == {mine}
    assert set(possible_owners(superuser)) == {mine, theirs, superuser}


def test_note_and_ticket_are_written_without_touching_the_rest(tenant: Tenant) -> None:
    group, user = make_failure(), make_superuser()
    triage.annotate(user, group.fingerprint, " seen before\n")
    triage.annotate(user, group.fingerprint, ticket_url="https://example.com/tickets/7")
    group.refresh_from_db()
    assert (group.note, group.ticket_url) == ("seen before", "https://example.com/tickets/7")
    assert group.state == State.OPEN
    triage.annotate(user, group.fingerprint, "", "")
    group.refresh_from_db()
    assert (group.note, group.ticket_url) == ("", "")
    assert [line.reason for line in AuditLine.objects.order_by("id")] == ["seen before", "", ""]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"note": "x" * 10_001}, "note"),
        ({"note": "nul \x00"}, "note"),
        ({"ticket_url": "javascript:alert(1)"}, "ticket_url"),
        ({"ticket_url": "data:text/html,x"}, "ticket_url"),
        ({"ticket_url": "/tickets/7"}, "ticket_url"),
        ({"ticket_url": "https://example.com/" + "x" * 200}, "ticket_url"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_its_name(
    tenant: Tenant, values: dict[str, Any], field: str
) -> None:
    group = make_failure()
    with pytest.raises(ValidationError) as caught:
        triage.annotate(make_superuser(), group.fingerprint, **values)
    assert list(caught.value.message_dict) == [field]
    assert actions() == []
