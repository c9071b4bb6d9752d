"""Figures by minute and hour: they sum up to what happened, and cost the engine nothing."""

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from events import rates, tallies
from events.external import run_due
from events.models import Event, EventStatus, Tally
from events.models.tally import EVERYBODY
from events.rates import Rate
from events.retry import RetryPolicy
from events.settling import settle
from events.tallies import BOUNDS, Figures, Tallies, quantile
from events.testing import handler_of
from leads.services import create_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.threads import at_once
from tests.factories import make_tenant
from tests.waiting import wait_until

TYPE = "thing.happened"
LATE = len(BOUNDS)
database = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clean(transactional_db: None) -> Iterator[None]:
    """Without what other tests of this process have noted."""
    tallies.flush()
    Tally.objects.all().delete()
    yield
    tallies.flush()


def totals(kind: str, span: str = "minute") -> dict[str, tuple[int, int, int]]:
    """Name → succeeded, failed, retried, of all times and tenants."""
    tallies.flush()
    # One query: a worker may write between two.
    sums: dict[bool, dict[str, tuple[int, int, int]]] = {True: {}, False: {}}
    for row in Tally.objects.filter(kind=kind, span=span).order_by("name"):
        of_kind = sums[row.tenant_id == EVERYBODY]
        s, f, r = of_kind.get(row.name, (0, 0, 0))
        of_kind[row.name] = (s + row.succeeded, f + row.failed, r + row.retried)
    assert sums[True] == sums[False]
    return sums[True]


def by_number(event: Event) -> None:
    """Fails for every fourth event."""
    if event.payload["number"] % 4 == 0:
        raise ValueError("four")


# --- The truth ----------------------------------------------------------------------------------


@database
def test_figures_sum_up_to_what_concurrent_workers_did(clean: None, tenant: Tenant) -> None:
    other, ids = make_tenant(), [event.id for event in make_events(80)]
    with tenant_context(other):
        ids += [event.id for event in make_events(40)]
    policy = RetryPolicy(max_attempts=1)
    with handler_of(TYPE, function=by_number, name="some", retry=policy):
        at_once(3, lambda: settle(ids))
        settle(ids)
    truth = Counter(Event.unscoped.values_list("status", flat=True))
    assert truth == {EventStatus.PROCESSED: 90, EventStatus.FAILED: 30}
    for span in Tally.Span.values:
        assert totals("handler", span) == {"some": (90, 30, 0)}
        assert totals("type", span) == {TYPE: (90, 30, 0)}
    of_other = Tally.objects.filter(tenant=other, span="hour", kind="handler")
    assert of_other.aggregate(s=Sum("succeeded"), f=Sum("failed")) == {"s": 30, "f": 10}


@database
def test_processes_that_write_at_once_add_up(clean: None, tenant: Tenant) -> None:
    def write() -> bool:
        own = Tallies()
        for number in range(20):
            figures = Figures(succeeded=1)
            figures.add_duration(number % 3, 1)
            # Each in an order of its own.
            own._noted[Tally.Kind.HANDLER, f"h{number}", tenant.id] = figures
        try:
            return own.flush()
        finally:
            own.disconnect()

    assert at_once(4, write) == [True] * 4
    assert at_once(4, write) == [True] * 4
    assert totals("handler") == {f"h{number}": (8, 0, 0) for number in range(20)}
    counted = {sum(row.durations) for row in Tally.objects.filter(span="hour")}
    assert counted == {8}


@database
def test_worker_writes_its_figures_by_itself_and_when_it_ends(
    clean: None, tenant: Tenant, worker: "subprocess.Popen[bytes]"
) -> None:
    for number in range(20):
        create_lead(name=f"Lead {number}")

    def counted() -> Any:
        return totals("type").get("lead.created"), totals("handler").get("handle_lead_created")

    wait_until(lambda: counted() == ((20, 0, 0), (20, 0, 0)), "all figures are written", 60)
    create_lead(name="The last one")
    leads = Event.unscoped.filter(type="lead.created", status=EventStatus.PROCESSED)
    wait_until(lambda: leads.count() == 21, "it is settled")
    worker.terminate()
    worker.wait(30)
    assert counted() == ((21, 0, 0), (21, 0, 0))


@database
def test_retries_and_external_calls_are_counted(clean: None, tenant: Tenant) -> None:
    def fail(event: Event) -> None:
        raise ValueError("no")

    policy = RetryPolicy(max_attempts=2, base=0)
    with handler_of(TYPE, function=fail, name="calls", effects="external", retry=policy):
        settle([make_event().id])
        while run_due():
            pass
    assert totals("handler") == {"calls": (0, 1, 1)}
    assert totals("type") == {TYPE: (0, 1, 0)}


@database
def test_settling_runs_no_statement_for_the_figures(clean: None, tenant: Tenant) -> None:
    ids = [event.id for event in make_events(5)]
    with handler_of(TYPE, function=by_number, name="some"):
        with connection.execute_wrapper(refuse_tallies):
            settle(ids)
    assert totals("handler")["some"][0] == 3


def refuse_tallies(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    assert "tallies" not in str(sql)
    return execute(sql, params, many, context)


@database
def test_what_was_rolled_back_is_not_counted(clean: None, tenant: Tenant) -> None:
    ids = [event.id for event in make_events(2)]
    with handler_of(TYPE, function=print, name="prints"), transaction.atomic():
        settle(ids)
        transaction.set_rollback(True)
    assert totals("handler") == {}


@database
def test_figures_outlive_a_database_that_is_away(clean: None, tenant: Tenant) -> None:
    own = Tallies()
    own._noted["type", "x" * 200, tenant.id] = Figures(succeeded=3)
    assert not own.flush()
    assert own._noted["type", "x" * 200, tenant.id].succeeded == 3


@database
def test_old_minutes_and_hours_go(clean: None, tenant: Tenant) -> None:
    for span, age in (("minute", 26), ("minute", 24), ("hour", 24 * 91), ("hour", 26)):
        Tally.objects.create(
            span=span, starts_at=Now() - timedelta(hours=age), kind="type", name=TYPE, tenant=tenant
        )
    assert tallies.prune() == 2
    assert Counter(Tally.objects.values_list("span", flat=True)) == {"minute": 1, "hour": 1}
    assert tallies.prune() == 0


# --- Durations ----------------------------------------------------------------------------------


@database
def test_each_event_of_a_batch_counts_with_its_share(clean: None, tenant: Tenant) -> None:
    tallies.note_handled("batch", tenant.id, "succeeded", 100, 1.0)
    tallies.note_handled("batch", tenant.id, "failed", 1, 3600.0)
    tallies.flush()
    [row] = Tally.objects.filter(span="minute", name="batch", tenant=tenant)
    assert row.durations[BOUNDS.index(0.01)] == 100
    assert row.durations[LATE] == 1
    assert rates.durations("minute", 60, None)["batch"] == row.durations
    assert rates.durations("minute", 60, [make_tenant().id]) == {}


def test_quantile_lies_within_its_bucket() -> None:
    durations = [0] * (LATE + 1)
    assert quantile(durations, 0.5) is None
    durations[BOUNDS.index(0.1)] = 10
    assert quantile(durations, 0.5) == pytest.approx(0.075)
    assert quantile(durations, 1) == pytest.approx(0.1)
    durations[LATE] = 100
    assert quantile(durations, 0.95) == BOUNDS[-1]


@given(
    st.lists(st.integers(0, 1000), min_size=LATE + 1, max_size=LATE + 1).filter(any),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_quantiles_rise_with_their_share(durations: list[int], one: float, two: float) -> None:
    low, high = sorted((one, two))
    first, second = quantile(durations, low), quantile(durations, high)
    assert first is not None
    assert second is not None
    assert 0 <= first <= second <= BOUNDS[-1]


# --- Reading ------------------------------------------------------------------------------------

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def minute(number: int, good: int, bad: int = 0, again: int = 0) -> Rate:
    return Rate(NOON + timedelta(minutes=number), good, bad, again)


@database
def test_activity_is_of_the_asked_tenants_alone(clean: None, tenant: Tenant) -> None:
    other = make_tenant()
    tallies.note_handled("h", tenant.id, "succeeded", 2)
    tallies.note_handled("h", other.id, "failed", 3)
    tallies.note_settled(TYPE, other.id, "failed", 3)
    tallies.flush()
    everybody = rates.activity("minute", 60, None)
    own = rates.activity("minute", 60, [tenant.id])
    assert [(r.succeeded, r.failed) for r in everybody.handlers["h"]] == [(2, 3)]
    assert [(r.succeeded, r.failed) for r in own.handlers["h"]] == [(2, 0)]
    assert own.types == {}
    assert rates.activity("hour", 24, []).handlers == {}
    assert len(own.starts) == 60
    assert own.starts[-1] <= own.now < own.starts[-1] + timedelta(minutes=1)


def test_times_end_with_the_present_one() -> None:
    now = NOON + timedelta(minutes=7, seconds=30)
    assert rates.times("minute", 2, now) == [minute(6, 0).starts_at, minute(7, 0).starts_at]
    assert rates.times("hour", 2, now) == [NOON - timedelta(hours=1), NOON]


def test_by_time_adds_names_and_fills_gaps() -> None:
    found = rates.by_time(
        {"a": [minute(0, 1), minute(2, 1, 1)], "b": [minute(2, 5), minute(9, 9)]},
        [minute(number, 0).starts_at for number in range(3)],
    )
    assert found == [minute(0, 1), minute(1, 0), minute(2, 6, 1)]


@pytest.mark.parametrize(
    ("listed", "began"),
    [
        ([], None),
        ([minute(0, 9)], None),
        ([minute(0, 0, 9)], 0),
        ([minute(0, 9), minute(1, 5, 5), minute(4, 0, 0, 5)], 1),
        ([minute(0, 0, 5), minute(1, 9)], None),
        ([minute(0, 0, 5), minute(1, 9), minute(2, 1, 9)], 2),
    ],
)
def test_failures_began_where_they_have_not_stopped_since(
    listed: list[Rate], began: int | None
) -> None:
    expected = None if began is None else minute(began, 0).starts_at
    assert rates.broken_since(listed, 0.1) == expected
