"""Old failures get the groups, and the counts, that they would have had from the start."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from events.failures.backfilling import count_ungrouped, group_recorded
from events.failures.fingerprints import Signature
from events.failures.grouping import MOST_GROUPS
from events.failures.recorded import signature_of
from events.models import Attempt, Delivery, Event, FailureCount, FailureGroup
from events.retry import Permanent
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.factories import make_events, make_failed_event, make_failure
from tests.events.threads import at_once
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db


def forget_groups() -> None:
    """As it was before there were groups."""
    Delivery.objects.update(group_id=None)
    Attempt.objects.update(group_id=None)
    FailureCount.objects.all().delete()
    FailureGroup.unscoped.all().delete()


def groups() -> list[tuple[Any, ...]]:
    """Everything of the groups but their own ids and the hour of their making."""
    names = "tenant", "fingerprint", "error_type", "frame", "message", "occurrences", "state"
    rows = FailureGroup.unscoped.order_by("fingerprint", "tenant")
    return list(rows.values_list(*names, "traceback", "last_event_id"))


def counts() -> list[tuple[Any, ...]]:
    rows = FailureCount.objects.order_by("group__fingerprint", "group__tenant", "bucket_at")
    return list(rows.values_list("group__fingerprint", "bucket_at", "occurrences"))


def prints() -> dict[int, UUID]:
    """Delivery → fingerprint of its group."""
    known = dict(FailureGroup.unscoped.values_list("pk", "fingerprint"))
    return {pk: known[group or 0] for pk, group in Delivery.objects.values_list("pk", "group_id")}


class Odd(Exception):
    """An exception of a module's own."""


class Desk:
    """Where things go wrong within a class."""

    def refuse(self, event: Event) -> None:
        raise Odd(f"number {event.payload['number']} is “odd”\nand has been for long")


def refuse_deeper(event: Event) -> None:
    def inner() -> None:
        [int(each) for each in ["many"]]

    try:
        inner()
    except ValueError as error:
        raise Permanent("cannot be counted") from error


def refuse_in_a_lambda(event: Event) -> None:
    (lambda: int("missing"))()


WAYS: list[Any] = [Desk().refuse, refuse_deeper, refuse_in_a_lambda, int]


def fail_in(way: Any, count: int = 2) -> None:
    events = make_events(count)
    with handler_of("thing.happened", function=way, name=getattr(way, "__name__", "way")):
        settle([event.id for event in events])


@pytest.mark.parametrize("way", WAYS)
def test_record_tells_the_signature_of_the_exception(
    tenant: Tenant, way: Callable[[Event], Any]
) -> None:
    fail_in(way, count=1)
    attempt = Attempt.objects.get()
    group = FailureGroup.objects.get()
    told = Signature(group.handler, group.error_type, group.frame, group.message)
    assert signature_of(attempt) == told
    assert told.fingerprint == group.fingerprint


def test_failure_of_another_deployment_is_the_same(tenant: Tenant) -> None:
    fail_in(Desk().refuse, count=1)
    attempt = Attempt.objects.get()
    here = signature_of(attempt)
    folder = __file__.removesuffix("/tests/events/test_group_failures.py")
    attempt.traceback = attempt.traceback.replace(folder, "/srv/releases/12/salesflow")
    assert signature_of(attempt) == here
    assert here.frame == "tests.events.test_group_failures:Desk.refuse"
    attempt.traceback = attempt.traceback.replace("test_group_failures.py", "gone.py")
    assert signature_of(attempt).frame.endswith("/tests/events/gone.py:refuse")


def test_groups_and_counts_are_those_of_the_day(tenant: Tenant) -> None:
    for way in WAYS:
        fail_in(way)
    with tenant_context(make_tenant()):
        fail_in(WAYS[0], 3)
    before = groups(), counts(), prints()
    assert len(before[0]) == 5
    forget_groups()
    grouped = group_recorded()
    assert (grouped.deliveries, len(grouped.groups)) == (11, 5)
    assert (groups(), counts(), prints()) == before
    assert not Attempt.objects.filter(group_id=None).exists()


def test_failures_are_counted_when_they_happened(tenant: Tenant) -> None:
    make_failure(2)
    forget_groups()
    long_ago = timezone.now() - timedelta(days=40)
    first = Attempt.objects.earliest("pk")
    Attempt.objects.filter(pk=first.pk).update(started_at=long_ago, duration_ms=1500)
    group_recorded()
    group = FailureGroup.objects.get()
    assert group.first_seen_at == long_ago + timedelta(seconds=1.5)
    assert timezone.now() - group.last_seen_at < timedelta(minutes=5)
    assert [count for _print, _bucket, count in counts()] == [1, 1]


def test_nothing_is_counted_twice(tenant: Tenant) -> None:
    make_failure(3)
    forget_groups()
    group_recorded()
    before = groups(), counts()
    assert group_recorded().deliveries == 0
    assert (groups(), counts()) == before
    make_failure(2)
    assert group_recorded().deliveries == 0
    assert FailureGroup.objects.get().occurrences == 5


def test_group_that_was_resolved_stays_so_and_keeps_what_it_knows_of_today(tenant: Tenant) -> None:
    """What had failed before is no reason to open it again."""
    make_failure(1)
    forget_groups()
    Attempt.objects.update(started_at=timezone.now() - timedelta(days=9))
    group = make_failure(2)
    FailureGroup.objects.update(state="resolved", note="mended")
    before = FailureGroup.objects.get()
    group_recorded()
    after = FailureGroup.objects.get()
    assert (after.pk, after.state, after.note, after.occurrences) == (
        group.pk,
        "resolved",
        "mended",
        3,
    )
    assert (after.last_seen_at, after.last_event_id) == (before.last_seen_at, before.last_event_id)
    assert timezone.now() - after.first_seen_at > timedelta(days=8)


def test_delivery_without_its_attempts_is_grouped_by_its_sentence(tenant: Tenant) -> None:
    event = make_failed_event()
    Delivery.objects.update(error="ValueError: number 13 is bad")
    group_recorded()
    group = FailureGroup.objects.get()
    assert (group.handler, group.error_type, group.frame, group.message, group.occurrences) == (
        "picky",
        "ValueError",
        "",
        "number # is bad",
        1,
    )
    assert group.last_event_id == event.pk
    assert count_ungrouped() == 0


def test_old_failures_make_no_more_groups_of_a_handler_than_new_ones(tenant: Tenant) -> None:
    for word in range(MOST_GROUPS + 5):
        make_failed_event()
        text = "".join(chr(ord("a") + int(digit)) for digit in str(word))
        latest = Delivery.objects.latest("pk")
        Delivery.objects.filter(pk=latest.pk).update(error=f"ValueError: {text}")
    Delivery.objects.update(finished_at=timezone.now() - timedelta(days=30))
    assert group_recorded().deliveries == MOST_GROUPS + 5
    assert FailureGroup.objects.count() == MOST_GROUPS + 1
    others = FailureGroup.objects.get(error_type="")
    assert (others.message, others.occurrences) == ("Other failures", 5)


@pytest.mark.django_db(transaction=True)
def test_event_that_a_worker_holds_is_left_for_another_run(tenant: Tenant) -> None:
    make_failure(3)
    forget_groups()
    held = Event.objects.earliest("position")
    with transaction.atomic():
        Event.objects.select_for_update().get(pk=held.pk)
        [done] = at_once(1, group_recorded)
    assert done.deliveries == 2
    assert count_ungrouped() == 1
    assert group_recorded().deliveries == 1
    assert FailureGroup.objects.get().occurrences == 3


def test_command_says_how_many(tenant: Tenant) -> None:
    make_failure(3)
    forget_groups()

    def said(*options: str) -> str:
        out = io.StringIO()
        call_command("group_failures", *options, stdout=out)
        return out.getvalue().strip()

    assert said("--dry-run") == "Failures without a group: 3."
    assert not FailureGroup.objects.exists()
    assert said() == "Failures put into groups: 3; groups: 1."
    assert said() == "Failures put into groups: 0; groups: 0."
