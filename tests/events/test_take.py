"""Who is served when workers take what is due."""

from collections import Counter
from datetime import timedelta

from django.db.models import F

from events import taking
from events.models import Event
from events.taking import BatchSize, Rotation, take_due
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.factories import make_events
from tests.factories import make_tenant


def _tenants_of(events: list[Event]) -> Counter[str]:
    names = {tenant.id: tenant.slug for tenant in Tenant.objects.all()}
    return Counter(names[event.tenant_id] for event in events)


def test_each_tenant_has_an_equal_share_of_a_batch(tenant: Tenant) -> None:
    make_events(50)
    with tenant_context(make_tenant("small")):
        make_events(1)
    with tenant_context(make_tenant("middle")):
        make_events(20)
    assert _tenants_of(take_due(30).events) == {"acme": 10, "middle": 10, "small": 1}


def test_tenant_alone_has_the_whole_batch_in_the_order_of_the_log(tenant: Tenant) -> None:
    events = make_events(40)
    taken = take_due(30)
    assert [event.id for event in taken.events] == [event.id for event in events[:30]]


def test_take_knows_whether_it_left_something(tenant: Tenant) -> None:
    make_events(4)
    with tenant_context(make_tenant("small")):
        make_events(1)
    rotation = Rotation()
    rotation.take(6)
    assert rotation.has_more
    rotation.take(20)
    assert not rotation.has_more


def test_event_that_is_due_later_stays(tenant: Tenant) -> None:
    later, now = make_events(2)
    Event.unscoped.filter(pk=later.pk).update(due_at=F("due_at") + timedelta(hours=1))
    assert [event.id for event in take_due(10).events] == [now.id]


def test_longest_due_is_taken_first(tenant: Tenant) -> None:
    events = make_events(3)
    oldest = events[2]
    Event.unscoped.filter(pk=oldest.pk).update(due_at=F("due_at") - timedelta(hours=1))
    assert [event.id for event in take_due(1).events] == [oldest.id]


def test_nothing_due_takes_nothing(db: None) -> None:
    taken = Rotation().take(10)
    assert taken.events == []
    assert taken.now is not None


def test_taken_event_is_what_was_published(tenant: Tenant) -> None:
    [event] = make_events(1)
    [taken] = take_due(1).events
    fresh = Event.unscoped.get(pk=event.pk)
    for field in Event._meta.concrete_fields:
        assert getattr(taken, field.attname) == getattr(fresh, field.attname), field.name


def test_very_many_tenants_are_served_in_turn(db: None) -> None:
    slugs = [f"tenant-{number}" for number in range(5)]
    for slug in slugs:
        with tenant_context(make_tenant(slug)):
            make_events(3)
    rotation = Rotation()
    served: Counter[str] = Counter()
    most, taking.MOST_TENANTS = taking.MOST_TENANTS, 2
    try:
        for _take in range(20):
            events = rotation.take(2).events
            served += _tenants_of(events)
            ids = [event.id for event in events]
            Event.unscoped.filter(id__in=ids).update(status="processed")
            if _take == 2:
                assert set(served) == set(slugs)
    finally:
        taking.MOST_TENANTS = most
    assert served == dict.fromkeys(slugs, 3)


def test_tenant_behind_many_that_wait_for_later_is_served(db: None) -> None:
    for number in range(7):
        with tenant_context(make_tenant(f"tenant-{number}")):
            make_events(1)
    waiting = Tenant.objects.order_by("id")
    last = waiting.last()
    later = Event.unscoped.exclude(tenant=last)
    later.update(due_at=F("due_at") + timedelta(hours=1))
    rotation = Rotation()
    most, taking.MOST_TENANTS = taking.MOST_TENANTS, 2
    try:
        assert [event.tenant_id for event in rotation.take(10).events] == [last and last.id]
        # From the middle, too: the first windows come after the last ones.
        Event.unscoped.update(due_at=F("due_at") + timedelta(hours=1))
        first = waiting.first()
        Event.unscoped.filter(tenant=first).update(due_at=F("due_at") - timedelta(hours=3))
        assert [event.tenant_id for event in rotation.take(10).events] == [first and first.id]
    finally:
        taking.MOST_TENANTS = most


def test_slow_batches_shrink_and_quick_ones_grow_again() -> None:
    size = BatchSize(300)
    assert size.size == BatchSize.LEAST
    for _batch in range(9):
        size.note(events=size.size, seconds=0.01)
    assert size.size == 300
    size.note(events=300, seconds=2.0)
    size.note(events=150, seconds=2.0)
    assert size.size == 75
    for _batch in range(9):
        size.note(events=1, seconds=0.01)
    assert size.size == 75
    for _batch in range(9):
        size.note(events=75, seconds=9.0)
    assert size.size == BatchSize.LEAST
    size.note(events=25, seconds=0.01)
    size.be_cautious()
    size.note(events=1, seconds=0.01)
    assert size.size == BatchSize.LEAST
