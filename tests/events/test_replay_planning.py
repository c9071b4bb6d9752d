"""Plans: what they freeze and count, and that making them keeps nobody waiting."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction
from django.urls import reverse

from events.models import AuditLine, Event, FailureGroup, Replay, ReplayItem
from events.replays import advance_running_replays, cancel, filling, plan_for_page, plan_replay
from events.replays.filling import fill_plans, take_chunk
from events.replays.forgetting import forget_dropped
from events.replays.outlook import handlers_of
from events.selections import Selection
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Membership, Tenant, User
from tests.events.alert_factories import make_group
from tests.events.factories import make_failed_event, make_failure
from tests.events.switches import Switch
from tests.events.test_replay_running import TYPE, begin, go_on, make_failed, planned
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser

MAY_REPLAY = ["view_event", "replay_event"]

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def root(tenant: Tenant) -> User:
    return make_superuser()


def being_planned(actor: User, **selected: str) -> Replay:
    """A plan that was left to the background."""
    replay: Replay = Replay.objects.create(
        status=Replay.Status.PLANNING, actor=actor, selection=selected or {"status": "failed"}
    )
    return replay


@contextmanager
def held_elsewhere(replay: Replay) -> Iterator[None]:
    """Another process is in the middle of a chunk of the plan."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            plan = filling._hold(replay.pk)
            assert plan
            filling.freeze(plan, Event.unscoped.all())
            held.set()
            done.wait(30)
            transaction.set_rollback(True)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(30)
        yield
    finally:
        done.set()
        thread.join()


# --- Whose it is --------------------------------------------------------------------------------


def test_plan_of_a_group_tells_nothing_of_other_tenants_failures(tenant: Tenant) -> None:
    fingerprint = uuid4()
    make_group(make_tenant(), fingerprint=fingerprint, handler="secret_handler")
    staff = make_staff(tenant, may=MAY_REPLAY)
    theirs = plan_for_page(Selection(group=str(fingerprint)), actor=staff)
    nobodys = plan_for_page(Selection(group=str(uuid4())), actor=staff)
    assert (theirs.handlers, theirs.selected) == (nobodys.handlers, nobodys.selected) == ([], 0)


def test_plan_of_a_tenant_that_was_lost_is_not_there_any_more(tenant: Tenant) -> None:
    lost, switch = make_tenant(), Switch()
    make_failed_event(1, ("switch",))
    with tenant_context(lost):
        make_failed_event(2, ("switch",))
    staff = make_staff(tenant, lost, may=MAY_REPLAY)
    url = reverse("admin:events_replay_start", args=[(plan := planned_by(staff)).pk])
    with handler_of(TYPE, function=switch):
        page = reverse("admin:events_replay_change", args=[plan.pk])
        assert client_of(staff).get(page).status_code == 200
        Membership.unscoped.filter(user=staff, tenant=lost).delete()
        staff = User.objects.get(pk=staff.pk)
        form = {"reason": "mended", "handlers": ["switch"]}
        assert client_of(staff).post(url, form).status_code == 404
        assert client_of(staff).get(page).status_code == 404
    plan.refresh_from_db()
    assert (plan.status, plan.tenant) == ("planned", None)


def planned_by(actor: User) -> Replay:
    return plan_for_page(Selection(status="failed"), actor=actor)


# --- Chunks -------------------------------------------------------------------------------------


def test_chunks_make_the_plan_that_one_look_makes(root: User) -> None:
    make_failed(13, "first")
    with tenant_context(make_tenant()):
        both = make_failed(12, "second")
    for event in both[5:]:
        event.deliveries.create(handler="first", status="succeeded")
    plan = being_planned(root)
    steps = [take_chunk(plan.id, 10) for _chunk in range(3)]
    make_failed(3)
    plan.refresh_from_db()
    assert steps == [True, True, False]
    assert (plan.status, plan.selected, plan.tenant) == ("planned", 25, None)
    assert plan.plan["types"] == {TYPE: 25}
    assert sorted(plan.plan["tenants"].values()) == [12, 13]
    assert {each.name: (each.number, each.succeeded) for each in handlers_of(plan)} == {
        "first": (13, 7),
        "second": (12, 0),
    }
    assert not {"after", "until"} & plan.plan.keys()
    frozen = ReplayItem.objects.filter(replay=plan).order_by("id").values_list("event_id")
    events = Event.unscoped.filter(pk__in=frozen).order_by("position").values_list("pk")
    assert list(frozen) == list(events)


def test_what_is_published_after_the_first_chunk_stays_out(root: User) -> None:
    make_failed(10)
    plan = being_planned(root)
    assert take_chunk(plan.id, 10)
    make_failed(5)
    assert not take_chunk(plan.id, 10)
    plan.refresh_from_db()
    assert (plan.status, plan.selected) == ("planned", 10)


def test_plan_goes_on_where_its_maker_died(root: User) -> None:
    make_failed(25)
    plan = being_planned(root)
    take_chunk(plan.id, 10)
    connection.close()
    assert not fill_plans()
    plan.refresh_from_db()
    assert (plan.status, plan.selected, plan.items.count()) == ("planned", 25, 25)


def test_plan_is_made_by_one_process_at_a_time(root: User) -> None:
    make_failed(3)
    plan = being_planned(root)
    with transaction.atomic():
        assert filling._hold(plan.id)
        threads = [threading.Thread(target=_fill_elsewhere) for _each in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert plan.items.count() == 0


def _fill_elsewhere() -> None:
    fill_plans()
    connections.close_all()


# --- Nobody waits -------------------------------------------------------------------------------


def test_plan_that_cannot_be_made_holds_up_nothing_and_says_so(root: User) -> None:
    switch = Switch()
    switch.on = True
    make_failed(2)
    make_failed(3, "elsewhere")
    with handler_of(TYPE, function=switch):
        broken = being_planned(root, no_such_parameter="x")
        other = being_planned(root, handler="elsewhere")
        running = begin(planned(handler="switch"))
        advance_running_replays()
        go_on(running)
        go_on(running)
    for plan in (broken, other, running):
        plan.refresh_from_db()
    assert (running.status, running.succeeded) == ("finished", 2)
    assert (other.status, other.selected) == ("planned", 3)
    assert (broken.status, "could not be planned" in broken.stopped_because) == ("cancelled", True)
    line = AuditLine.objects.get(action="replay.cancelled")
    assert line.target_id == str(broken.pk)
    assert "could not be planned" in line.reason


def test_cancel_does_not_wait_for_a_plan_that_is_being_made(root: User) -> None:
    make_failed(3)
    plan = being_planned(root)
    with held_elsewhere(plan), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
        cancel(plan, actor=root)
    plan.refresh_from_db()
    assert (plan.status, plan.items.count()) == ("cancelled", 0)


def test_chunk_of_a_plan_that_was_cancelled_meanwhile_leaves_nothing(root: User) -> None:
    make_failed(3)
    plan = being_planned(root)
    before = Replay.objects.get(pk=plan.pk)
    cancel(plan, actor=root)
    with transaction.atomic():
        assert not filling.fill_chunk(before, Event.unscoped.all())
    plan.refresh_from_db()
    assert (plan.status, plan.selected, plan.items.count()) == ("cancelled", 0, 0)


def test_items_of_a_large_plan_that_was_dropped_go_by_and_by(root: User) -> None:
    plan = plan_replay(Selection(status="failed"), Event.unscoped.all(), actor=root)
    ReplayItem.objects.bulk_create(
        ReplayItem(replay=plan, event_id=uuid4()) for _each in range(10_005)
    )
    cancel(plan, actor=root)
    assert (plan.items.count(), plan.pruned_at) == (5, None)
    assert not forget_dropped(0)
    plan.refresh_from_db()
    assert (plan.items.count(), plan.pruned_at is not None) == (0, True)


# --- Groups -------------------------------------------------------------------------------------


def test_plan_of_a_group_proposes_its_handler_alone(tenant: Tenant, root: User) -> None:
    group = make_failure(2, handler="greet")
    for event in Event.unscoped.all():
        event.deliveries.create(handler="other", status="failed")
    plan = plan_for_page(Selection(group=str(group.fingerprint)), actor=root)
    assert plan.handlers == ["greet"]
    assert {each.name: each.is_meant for each in handlers_of(plan)} == {
        "greet": True,
        "other": False,
    }
    assert FailureGroup.unscoped.get().pk == group.pk
