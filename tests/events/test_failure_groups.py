"""Failures are put into groups and counted while they are settled, and cannot disturb that."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import F, Sum
from django.db.models.functions import Now
from django.utils import timezone

from events import pruning, replay_event
from events.external import run_due, sweep
from events.external.leasing import lease_next
from events.failures import grouping, triage
from events.failures.fingerprints import OTHERS
from events.failures.grouping import MOST_GROUPS
from events.models import Attempt, Delivery, Event, EventStatus, FailureCount, FailureGroup
from events.retry import RetryPolicy
from events.rows import fetch_rows
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.switches import Switch
from tests.events.threads import at_once, in_own_connection
from tests.factories import make_tenant
from tests.staff import make_superuser

TYPE = "thing.happened"
State = FailureGroup.State


def no_good(event: Event) -> None:
    raise ValueError(f"no good: {event.payload['number']}")


def fail(events: list[Event], function: Any = no_good, name: str = "greet", **options: Any) -> None:
    """Settle events at a handler that fails."""
    with handler_of(TYPE, function=function, name=name, **options):
        settle([event.id for event in events])


def the_group() -> FailureGroup:
    return FailureGroup.unscoped.get()


def counted() -> int:
    """Occurrences by ten minutes, added up."""
    return int(FailureCount.objects.aggregate(sum=Sum("occurrences"))["sum"] or 0)


def move_back(hours: float) -> None:
    """Make all groups as they would be if everything had happened earlier."""
    span = timedelta(hours=hours)
    moved = {
        name: F(name) - span
        for name in ("first_seen_at", "last_seen_at", "state_changed_at", "reopened_at")
    }
    FailureGroup.unscoped.update(**moved)
    for row in FailureCount.objects.all():
        FailureCount.objects.filter(pk=row.pk).delete()
        row.bucket_at -= span
        row.save(force_insert=True)


# --- Grouping -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_failures_of_one_kind_are_one_group(tenant: Tenant) -> None:
    events = make_events(7)
    fail(events)
    group = the_group()
    assert (group.handler, group.error_type, group.message) == (
        "greet",
        "ValueError",
        "no good: #",
    )
    assert group.frame == f"{__name__}:no_good"
    assert (group.occurrences, counted(), group.state) == (7, 7, State.OPEN)
    assert group.tenant_id == tenant.id
    assert group.last_event_id in {event.id for event in events}
    assert "ValueError: no good: " in group.traceback
    assert set(Delivery.objects.values_list("group_id", flat=True)) == {group.pk}
    assert set(Attempt.objects.values_list("group_id", flat=True)) == {group.pk}


@pytest.mark.django_db
def test_other_handlers_errors_and_tenants_have_groups_of_their_own(tenant: Tenant) -> None:
    def other_error(event: Event) -> None:
        raise KeyError("no good")

    fail(make_events(2))
    fail(make_events(1), name="other")
    fail(make_events(1), other_error)
    with tenant_context(make_tenant("other")):
        fail(make_events(3))
    counts = FailureGroup.unscoped.values_list("tenant__slug", "handler", "occurrences")
    assert sorted(counts) == [
        ("acme", "greet", 1),
        ("acme", "greet", 2),
        ("acme", "other", 1),
        ("other", "greet", 3),
    ]
    assert len(set(FailureGroup.unscoped.values_list("fingerprint", flat=True))) == 3


@pytest.mark.django_db
def test_batch_of_several_tenants_counts_each_for_itself(tenant: Tenant) -> None:
    events = make_events(2)
    for slug, count in (("one", 3), ("two", 4)):
        with tenant_context(make_tenant(slug)):
            events += make_events(count)
    fail(events)
    counts = dict(FailureGroup.unscoped.values_list("tenant__slug", "occurrences"))
    assert counts == {"acme": 2, "one": 3, "two": 4}


@pytest.mark.django_db
def test_every_failed_attempt_counts_and_a_success_keeps_its_group(
    tenant: Tenant, settle_events: Callable[[], int]
) -> None:
    switch = Switch()
    event = make_event()
    with handler_of(TYPE, function=switch, retry=RetryPolicy(max_attempts=2)):
        settle_events()
        assert the_group().occurrences == 2
        switch.on = True
        replay_event(event.id)
        settle_events()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.group_id) == ("succeeded", the_group().pk)
    numbers = Attempt.objects.order_by("number").values_list("number", "group_id")
    assert list(numbers) == [(1, the_group().pk), (2, the_group().pk), (3, None)]
    assert the_group().occurrences == 2


@pytest.mark.django_db
def test_failure_of_a_vanished_handler_has_a_group(tenant: Tenant) -> None:
    event = make_event()
    with handler_of(TYPE, function=no_good, name="gone", retry=RetryPolicy(max_attempts=2)):
        settle([event.id])
    Delivery.objects.update(next_attempt_at=None)
    settle([event.id])
    messages = FailureGroup.unscoped.order_by("pk").values_list("error_type", "frame", "message")
    assert list(messages)[1] == ("LookupError", "", "No installed app has a handler '…'.")


@pytest.mark.django_db(transaction=True)
def test_failed_call_is_counted(tenant: Tenant) -> None:
    events = make_events(3)
    with handler_of(TYPE, function=Switch(), name="call", effects="external"):
        settle([event.id for event in events])
        run_due()
    group = the_group()
    assert (group.handler, group.error_type, group.occurrences) == ("call", "RuntimeError", 3)
    assert group.frame == "tests.events.switches:Switch.__call__"
    assert set(Delivery.objects.values_list("group_id", flat=True)) == {group.pk}


@pytest.mark.django_db(transaction=True)
def test_lost_workers_are_counted_at_once(tenant: Tenant) -> None:
    events = make_events(5)
    with handler_of(TYPE, function=print, name="call", effects="external"):
        settle([event.id for event in events])
        for _event in events:
            lease_next()
        Delivery.objects.update(lease_expires_at=Now())
        sweep()
    group = the_group()
    assert (group.error_type, group.occurrences) == ("events.external.reporting.LeaseLost", 5)


# --- Time ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_occurrences_are_counted_by_ten_minutes(tenant: Tenant) -> None:
    fail(make_events(2))
    move_back(hours=1)
    fail(make_events(3))
    counts = list(FailureCount.objects.order_by("bucket_at"))
    assert [count.occurrences for count in counts] == [2, 3]
    for count in counts:
        assert count.bucket_at.minute % 10 == count.bucket_at.second == 0
    group = the_group()
    assert group.occurrences == 5
    assert group.last_seen_at - group.first_seen_at > timedelta(minutes=59)


@pytest.mark.django_db
def test_sample_follows_the_code_but_is_not_written_again_and_again(tenant: Tenant) -> None:
    fail(make_events(1))
    FailureGroup.unscoped.update(traceback="as it was")
    fail(make_events(1))
    assert the_group().traceback == "as it was"
    move_back(hours=1)
    fail(make_events(1))
    assert "no good" in the_group().traceback


@pytest.mark.django_db
def test_long_traceback_is_kept_without_its_middle(tenant: Tenant) -> None:
    def fail_at_length(event: Event) -> None:
        raise ValueError("x" * 1_000_000)

    fail([make_event()], fail_at_length)
    sample = the_group().traceback
    assert len(sample) < 30_000
    assert sample.startswith("Traceback")
    assert "in fail_at_length" in sample


# --- Coming back --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_resolved_failure_that_comes_back_is_open_and_says_so(tenant: Tenant) -> None:
    fail(make_events(1))
    user = make_superuser()
    triage.resolve(user, the_group().fingerprint, note="mended")
    fail(make_events(2))
    group = the_group()
    assert (group.state, group.occurrences, group.note) == (State.OPEN, 3, "mended")
    assert group.reopened_at == group.state_changed_at == group.last_seen_at


@pytest.mark.django_db
@pytest.mark.parametrize("verb", [triage.acknowledge, triage.mute])
def test_only_what_was_resolved_opens_by_itself(tenant: Tenant, verb: Any) -> None:
    fail(make_events(1))
    verb(make_superuser(), the_group().fingerprint)
    state = the_group().state
    fail(make_events(1))
    assert (the_group().state, the_group().reopened_at) == (state, None)


@pytest.mark.django_db
def test_attempt_from_before_the_resolution_does_not_reopen(tenant: Tenant) -> None:
    fail(make_events(1))
    triage.resolve(make_superuser(), the_group().fingerprint)
    ahead = timezone.now() + timedelta(hours=1)
    FailureGroup.unscoped.update(state_changed_at=ahead)
    fail(make_events(1))
    group = the_group()
    assert (group.state, group.occurrences) == (State.RESOLVED, 2)


@pytest.mark.django_db
def test_failure_reopens_only_where_it_comes_back(tenant: Tenant) -> None:
    events = make_events(1)
    with tenant_context(make_tenant("other")):
        events += make_events(1)
    fail(events)
    triage.resolve(make_superuser(), FailureGroup.unscoped.first().fingerprint)  # type: ignore[union-attr]
    fail(make_events(1))
    states = dict(FailureGroup.unscoped.values_list("tenant__slug", "state"))
    assert states == {"acme": State.OPEN, "other": State.RESOLVED}


# --- Too many ways ------------------------------------------------------------------------------

LETTERS = "ghijklmnop"


def in_words(number: int) -> str:
    """A number that masking does not recognise."""
    return "".join(LETTERS[int(digit)] for digit in str(number))


def fail_in_many_ways(event: Event) -> None:
    raise ValueError(f"no good: {in_words(event.payload['number'])}")


def fail_once_more(event: Event) -> None:
    raise ValueError(f"bad once more: {in_words(event.payload['number'])}")


@pytest.mark.django_db
def test_handler_that_fails_in_too_many_ways_has_a_group_for_the_others(tenant: Tenant) -> None:
    fail(make_events(MOST_GROUPS - 1), fail_in_many_ways)
    fail(make_events(5), fail_once_more)
    groups = FailureGroup.unscoped.all()
    assert groups.count() == MOST_GROUPS + 1
    others = groups.get(message=OTHERS)
    assert (others.handler, others.error_type, others.frame, others.occurrences) == (
        "greet",
        "",
        "",
        4,
    )
    assert "bad once more" in others.traceback
    fail(make_events(7), fail_once_more)
    others.refresh_from_db()
    assert (groups.count(), others.occurrences) == (MOST_GROUPS + 1, 10)
    assert counted() == MOST_GROUPS - 1 + 5 + 7
    assert not Delivery.objects.filter(group_id=None).exists()


@pytest.mark.django_db
def test_other_handlers_and_tenants_are_not_limited_by_it(tenant: Tenant) -> None:
    fail(make_events(MOST_GROUPS + 1), fail_in_many_ways)
    fail(make_events(1), name="other")
    with tenant_context(make_tenant("other")):
        fail(make_events(1))
    assert FailureGroup.unscoped.filter(message="no good: #").count() == 2


@pytest.mark.django_db
def test_there_is_room_again_when_the_many_are_long_past(tenant: Tenant) -> None:
    fail(make_events(MOST_GROUPS + 1), fail_in_many_ways)
    move_back(hours=24 * 8)
    fail(make_events(1))
    assert FailureGroup.unscoped.filter(message="no good: #").exists()


# --- Beside others ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_workers_that_fail_in_the_same_groups_at_once_count_all(tenant: Tenant) -> None:
    """Four workers, each with events of three tenants at two handlers, in orders of their own."""
    tenants = [tenant, make_tenant("one"), make_tenant("two")]
    batches: list[list[UUID]] = []
    for turn in range(8):
        ids: list[UUID] = []
        for each in tenants[turn % 3 :] + tenants[: turn % 3]:
            with tenant_context(each):
                ids += [event.id for event in make_events(5)]
        batches.append(ids)
    with (
        handler_of(TYPE, function=no_good, name="greet"),
        handler_of(TYPE, function=no_good, name="thank"),
    ):
        for _round in range(2):
            at_once(4, lambda: settle(batches.pop()))
    assert set(FailureGroup.unscoped.values_list("occurrences", flat=True)) == {40}
    assert FailureGroup.unscoped.count() == 6
    assert counted() == Attempt.objects.count() == 8 * 3 * 5 * 2
    assert not Delivery.objects.filter(group_id=None).exists()


@pytest.mark.django_db(transaction=True)
def test_limit_holds_however_many_workers_find_new_ways_at_once(tenant: Tenant) -> None:
    batches = [[event.id for event in make_events(90)] for _worker in range(3)]
    numbers = iter(range(10_000))

    def fail_in_a_new_way(event: Event) -> None:
        raise ValueError(f"no good: {in_words(next(numbers))}")

    with handler_of(TYPE, function=fail_in_a_new_way, name="greet"):
        at_once(3, lambda: settle(batches.pop()))
    groups = FailureGroup.unscoped.all()
    assert groups.exclude(message=OTHERS).count() == MOST_GROUPS
    assert groups.get(message=OTHERS).occurrences == 70


@pytest.mark.django_db(transaction=True)
def test_calls_that_fail_at_once_count_all(tenant: Tenant) -> None:
    events = make_events(12)
    with handler_of(
        TYPE, function=Switch(), name="call", effects="external", concurrency=4, breaker=None
    ):
        settle([event.id for event in events])
        assert sum(at_once(4, run_due)) == 12
    assert (the_group().occurrences, counted()) == (12, 12)


@pytest.mark.django_db
def test_batch_that_is_rolled_back_leaves_no_count(tenant: Tenant) -> None:
    events = make_events(3)
    fail(events[:1])
    before = FailureGroup.unscoped.values().get(), counted()
    with transaction.atomic():
        fail(events[1:])
        assert the_group().occurrences == 3
        transaction.set_rollback(True)
    assert (FailureGroup.unscoped.values().get(), counted()) == before
    assert Attempt.objects.count() == 1
    fail(events[1:])
    assert (the_group().occurrences, counted()) == (3, 3)


# --- Trouble ------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["failure_groups", "failure_counts"])
def test_trouble_with_groups_costs_a_count_and_no_more(
    tenant: Tenant, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    event = make_event()
    fail([event])
    event.refresh_from_db()
    assert (event.status, Attempt.objects.count()) == (EventStatus.FAILED, 1)
    lines: list[Any] = [record.msg for record in caplog.records]
    assert "grouping_failed" in [line["event"] for line in lines]
    # Where only the counting failed, the group is known.
    assert (Delivery.objects.get().group_id is None) == (table == "failure_groups")


@pytest.fixture
def frozen_group(tenant: Tenant) -> Iterator[FailureGroup]:
    """A group that another transaction holds as long as the test wants."""
    fail(make_events(1))
    group = the_group()
    with transaction.atomic():
        FailureGroup.unscoped.select_for_update(no_key=True).get(pk=group.pk)
        yield group


@pytest.mark.django_db(transaction=True)
def test_worker_that_is_frozen_with_a_group_keeps_nobody_from_settling(
    frozen_group: FailureGroup, tenant: Tenant
) -> None:
    def settle_one() -> int:
        with tenant_context(tenant):
            event = make_event()
            fail([event])
            return Delivery.objects.filter(event=event, group_id=frozen_group.pk).count()

    assert at_once(1, settle_one) == [1]
    assert the_group().occurrences == 1


@pytest.mark.django_db
def test_no_limit_of_waits_stays_behind(tenant: Tenant) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        fail(make_events(2))
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


# --- What it costs ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_success_asks_nothing_of_the_groups(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    """Without their tables: a statement about them would be refused, and logged."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE failure_groups, failure_counts")
    events = make_events(5)
    with transaction.atomic(), handler_of(TYPE, function=lambda event: None, name="greet"):
        settle([event.id for event in events])
    assert Event.objects.filter(status=EventStatus.PROCESSED).count() == 5
    assert not caplog.records


@pytest.mark.django_db
@pytest.mark.parametrize("step", [grouping.FIND, grouping.COUNT_RECENT])
def test_groups_are_found_by_index(tenant: Tenant, step: str) -> None:
    values: dict[str, Any] = {
        "tenants": [tenant.id],
        "fingerprints": [tenant.id],
        "handlers": ["greet"],
        "since": datetime(2026, 1, 1, tzinfo=timezone.get_current_timezone()),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {step.replace(')b', ')s')}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "failure_group_once_per_tenant" in plan
    assert "Seq Scan" not in plan


# --- Pruning ------------------------------------------------------------------------------------


def prune(days: int = 90) -> pruning.Pruned:
    return pruning.prune(timezone.now() - timedelta(days=days))


@pytest.mark.django_db
def test_group_that_nothing_joins_and_nobody_touches_goes(tenant: Tenant) -> None:
    fail(make_events(2))
    Delivery.objects.update(status="succeeded")
    move_back(hours=24 * 91)
    assert pruning.count_old(timezone.now() - timedelta(days=90)).groups == 1
    assert prune().groups == 1
    assert not FailureGroup.unscoped.exists()
    assert not FailureCount.objects.exists()


@pytest.mark.django_db
def test_group_of_what_stands_as_failed_stays(tenant: Tenant) -> None:
    fail(make_events(2))
    move_back(hours=24 * 91)
    assert prune().groups == 0
    assert the_group().occurrences == 2
    assert not FailureCount.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "touch",
    [
        lambda user, group: triage.mute(user, group.fingerprint),
        lambda user, group: triage.annotate(user, group.fingerprint, "known"),
        lambda user, group: fail(make_events(1)),
    ],
    ids=["muted", "annotated", "seen"],
)
def test_group_that_was_touched_since_stays(tenant: Tenant, touch: Any) -> None:
    fail(make_events(1))
    move_back(hours=24 * 91)
    touch(make_superuser(), the_group())
    Delivery.objects.update(status="succeeded")
    assert prune().groups == 0
    assert FailureGroup.unscoped.count() == 1


@pytest.mark.django_db(transaction=True)
def test_group_that_a_worker_is_about_to_count_at_is_not_pruned(tenant: Tenant) -> None:
    fail(make_events(1))
    Delivery.objects.update(status="succeeded")
    move_back(hours=24 * 91)
    with transaction.atomic():
        fetch_rows(
            grouping.FIND,
            {"tenants": [tenant.id], "fingerprints": [the_group().fingerprint]},
        )
        assert at_once(1, lambda: prune().groups) == [0]
    assert in_own_connection(prune).groups == 1
