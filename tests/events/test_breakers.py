"""Circuit breakers: when a service is left alone, and how it is found to be back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Now
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from events import breakers
from events.circuit import BreakerPolicy, Circuit, CircuitState
from events.external import run_due, sweep
from events.external.leasing import due_handlers, lease_next
from events.foreground import carry_out
from events.models import Attempt, Breaker, Delivery, DeliveryStatus, Event
from events.registry import Handler
from events.replays import start_replay
from events.retry import Permanent, Postpone, Retry, RetryPolicy
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_events
from tests.events.switches import Switch
from tests.events.threads import at_once

TYPE = "thing.happened"
NEW = Circuit()
START = datetime(2026, 1, 5, 12, tzinfo=UTC)
# Jitter may draw a short wait, but hardly one of seconds out of thirty years.
SOMEDAY = RetryPolicy(max_attempts=50, base=1e9, cap=1e9)
POLICY = BreakerPolicy(failure_rate=0.5, minimum=4, window=60, cooldown=10, longest_cooldown=25)


def _after(calls: str, circuit: Circuit = NEW, now: datetime = START) -> Circuit:
    """A circuit after calls of one delivery, written as `+` (answered) and `-` (failed)."""
    for call in calls:
        circuit = circuit.after_call(1, call == "+", now, POLICY)
    return circuit


def _later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# --- The decision -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        ("---", CircuitState.CLOSED),  # too few calls to prove anything
        ("----", CircuitState.OPEN),
        ("+-+-", CircuitState.OPEN),
        ("+++--", CircuitState.CLOSED),
        ("+++---", CircuitState.OPEN),
        ("+" * 50, CircuitState.CLOSED),
    ],
)
def test_circuit_opens_at_its_failure_rate(calls: str, state: str) -> None:
    assert _after(calls).state == state


def test_open_circuit_admits_nothing_until_its_cooldown_is_over() -> None:
    opened = _after("----")
    assert [opened.admits(_later(s)) for s in (0, 9.9, 10)] == [False, False, True]


def test_failures_of_long_ago_do_not_open_it() -> None:
    assert _after("-", _after("---"), _later(121)).state == CircuitState.CLOSED


def test_failures_across_the_edge_of_a_window_count_by_what_of_it_is_left() -> None:
    three = _after("---")
    assert three.rates(_later(60), POLICY) == (3, 3)
    assert three.rates(_later(90), POLICY) == (1.5, 1.5)
    assert _after("-", three, _later(60)).state == CircuitState.OPEN
    assert _after("-", three, _later(90)).state == CircuitState.CLOSED


def test_probe_that_is_answered_closes_it_and_forgets_the_failures() -> None:
    probing = _after("----").probed_by(7, _later(40))
    closed = probing.after_call(7, True, _later(11), POLICY)
    assert closed == Circuit(window_started_at=_later(11))


def test_cooldown_doubles_with_each_failed_probe_up_to_the_longest() -> None:
    circuit, now, waits = _after("----"), START, []
    for _probe in range(3):
        assert circuit.retry_at
        waits.append((circuit.retry_at - now).total_seconds())
        now = circuit.retry_at
        circuit = circuit.probed_by(7, _later(1000)).after_call(7, False, now, POLICY)
    assert waits == [10, 20, 25]


def test_calls_from_before_it_opened_neither_close_nor_reopen_it() -> None:
    opened = _after("----")
    assert _after("+-", opened) == opened
    probing = opened.probed_by(7, _later(40))
    assert _after("+-", probing) == probing


def test_lost_probe_makes_room_for_another() -> None:
    probing = _after("----").probed_by(7, _later(40))
    assert [probing.admits(_later(s)) for s in (39, 40)] == [False, True]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"failure_rate": 0}, "failure_rate"),
        ({"failure_rate": 1.5}, "failure_rate"),
        ({"minimum": 0}, "minimum"),
        ({"window": -1}, "window"),
        ({"cooldown": 0}, "cooldown"),
        ({"longest_cooldown": 5}, "longest_cooldown"),
    ],
)
def test_policy_that_makes_no_sense_is_refused(options: dict[str, float], named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=named):
        BreakerPolicy(**options)  # type: ignore[arg-type]


CALLS = st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=60)


@given(CALLS)
def test_estimated_calls_lie_between_one_window_and_two(calls: list[tuple[float, bool]]) -> None:
    never = BreakerPolicy(minimum=10_000, window=60)
    circuit, now, times = Circuit(), START, []
    for wait, answered in calls:
        now += timedelta(seconds=wait)
        circuit = circuit.after_call(1, answered, now, never)
        times.append(now)
        estimated, failures = circuit.rates(now, never)
        assert 1 <= estimated <= sum(now - time < timedelta(seconds=120) for time in times)
        assert 0 <= failures <= estimated


@given(CALLS)
def test_circuit_opens_only_on_enough_failures_of_the_last_two_windows(
    calls: list[tuple[float, bool]],
) -> None:
    circuit, now, log = Circuit(), START, []
    for wait, answered in calls:
        now += timedelta(seconds=wait)
        log.append((now, answered))
        circuit = circuit.after_call(1, answered, now, POLICY)
        if circuit.state == CircuitState.OPEN:
            recent = [ok for time, ok in log if now - time < timedelta(seconds=120)]
            assert len(recent) >= POLICY.minimum
            assert recent.count(False) >= POLICY.failure_rate * POLICY.minimum
            return


@given(st.integers(1, 10_000))
def test_wait_grows_and_is_capped(openings: int) -> None:
    wait = POLICY.wait(openings).total_seconds()
    assert POLICY.cooldown <= wait <= POLICY.wait(openings + 1).total_seconds()
    assert wait <= POLICY.longest_cooldown


# --- With real deliveries -----------------------------------------------------------------------


@pytest.fixture
def service() -> Switch:
    """A service that is down until it is switched on."""
    return Switch()


@pytest.fixture
def handler(transactional_db: None, tenant: Tenant, service: Switch) -> Iterator[Handler]:
    with handler_of(
        TYPE,
        function=service,
        name="call",
        effects="external",
        retry=SOMEDAY,
        breaker=BreakerPolicy(minimum=4, cooldown=600, longest_cooldown=3600),
    ) as handler:
        yield handler


def _hand_over(count: int) -> list[Event]:
    events = make_events(count)
    settle([event.id for event in events])
    return events


def _broken(service: Switch) -> Breaker:
    """The breaker of a service that four deliveries have failed at."""
    service.on = False
    _hand_over(4)
    assert run_due() == 4
    return Breaker.objects.get()


def _let_cooldown_pass() -> None:
    Breaker.objects.update(retry_at=Now())


def test_failing_service_is_not_called_any_more(handler: Handler, service: Switch) -> None:
    breaker = _broken(service)
    _hand_over(3)
    assert (breaker.key, breaker.state) == ("call", CircuitState.OPEN)
    assert (due_handlers(), run_due()) == ([], 0)


def test_parked_deliveries_burn_no_attempts(handler: Handler, service: Switch) -> None:
    _broken(service)
    events = _hand_over(3)
    before = list(Delivery.objects.filter(event__in=events).values())
    run_due()
    sweep()
    assert list(Delivery.objects.filter(event__in=events).values()) == before
    assert {row["status"] for row in before} == {"pending"}
    assert {row["attempts"] for row in before} == {0}


def test_parked_deliveries_run_once_the_probe_was_answered(
    handler: Handler, service: Switch
) -> None:
    _broken(service)
    events = _hand_over(3)
    service.on = True
    _let_cooldown_pass()
    assert run_due() == 3
    assert sorted(service.handled) == sorted(event.id for event in events)
    assert Breaker.objects.get().state == CircuitState.CLOSED


def test_exactly_one_probe_goes_however_many_workers_ask(handler: Handler, service: Switch) -> None:
    _broken(service)
    _hand_over(20)
    _let_cooldown_pass()
    leases = [lease for lease in at_once(8, lease_next) if lease]
    [probe] = leases
    breaker = Breaker.objects.get()
    assert (breaker.state, breaker.probe) == (CircuitState.HALF_OPEN, probe.delivery.pk)


def test_failed_probe_opens_it_for_longer(handler: Handler, service: Switch) -> None:
    _broken(service)
    _hand_over(2)
    _let_cooldown_pass()
    assert run_due() == 1
    breaker = Breaker.objects.get()
    assert (breaker.state, breaker.openings) == (CircuitState.OPEN, 2)
    assert breaker.retry_at
    assert breaker.retry_at - timezone.now() > timedelta(seconds=1000)


def test_refusal_of_one_recipient_says_nothing_against_the_service(
    handler: Handler, service: Switch
) -> None:
    service.error = Permanent("no such mailbox")
    _hand_over(8)
    assert run_due() == 8
    breaker = Breaker.objects.get()
    assert (breaker.state, breaker.calls, breaker.failures) == (CircuitState.CLOSED, 8, 0)


def test_service_that_asks_to_come_back_later_is_left_alone(
    handler: Handler, service: Switch
) -> None:
    service.error = Retry(after=60)
    _hand_over(8)
    assert run_due() == 4
    assert Breaker.objects.get().state == CircuitState.OPEN


def test_lost_workers_say_nothing_against_the_service(handler: Handler, service: Switch) -> None:
    _hand_over(8)
    for _call in range(8):
        lease_next()
    Delivery.objects.update(lease_expires_at=Now())
    assert sweep() == 8
    assert not Breaker.objects.exclude(state=CircuitState.CLOSED).exists()
    assert Attempt.objects.count() == 8


def test_lost_rows_close_the_circuit_and_do_no_harm(handler: Handler, service: Switch) -> None:
    _broken(service)
    _hand_over(2)
    _let_cooldown_pass()
    probe = lease_next()
    assert probe
    Breaker.objects.all().delete()
    service.on = True
    assert run_due() == 1
    assert breakers.states()[0].state == CircuitState.CLOSED


def test_replay_in_the_foreground_does_not_wait_for_a_service_that_is_left_alone(
    handler: Handler, service: Switch
) -> None:
    service.error = Permanent("refused")
    [event] = _hand_over(1)
    run_due()
    Breaker.objects.all().delete()
    service.error = RuntimeError("down")
    _broken(service)
    selected = Event.unscoped.filter(pk=event.pk)
    replay = start_replay(selected, reason="impatience", include_external=True)
    assert carry_out(replay)["released"] == 1
    assert Delivery.objects.get(event=event).attempts == 1


def test_handler_without_breaker_is_called_again_and_again(
    transactional_db: None, tenant: Tenant, service: Switch
) -> None:
    with handler_of(TYPE, function=service, name="call", effects="external", breaker=None):
        _hand_over(30)
        assert run_due() == 30
    assert not Breaker.objects.exists()


def test_breaker_of_one_handler_leaves_the_others_alone(handler: Handler, service: Switch) -> None:
    with handler_of(TYPE, function=print, name="other", effects="external"):
        _hand_over(4)
        run_due()
        _hand_over(2)
        assert (due_handlers(), run_due()) == (["other"], 2)
    statuses = Delivery.objects.filter(handler="other").values_list("status", flat=True)
    assert set(statuses) == {DeliveryStatus.SUCCEEDED}


def test_states_tell_of_every_breaker(handler: Handler, service: Switch) -> None:
    def state() -> breakers.BreakerState:
        return next(state for state in breakers.states() if state.key == "call")

    assert (state().state, state().calls, state().since) == (CircuitState.CLOSED, 0, None)
    _broken(service)
    broken = state()
    assert (broken.state, broken.failure_rate) == (CircuitState.OPEN, 1.0)
    assert broken.retry_at
    assert broken.since
    assert broken.since < broken.retry_at


# --- Circuits of a handler's own ----------------------------------------------------------------


def _break_account(key: str = "account:1") -> None:
    for call_id in range(POLICY.minimum):
        breakers.begin_call(key, call_id, timeout=30)
        breakers.end_call(key, call_id, POLICY, RuntimeError("down"))


def test_own_circuit_postpones_until_its_probe_may_go(transactional_db: None) -> None:
    _break_account()
    with pytest.raises(Postpone) as caught:
        breakers.begin_call("account:1", 9, timeout=30)
    assert 0 < caught.value.seconds <= POLICY.cooldown
    breakers.begin_call("account:2", 9, timeout=30)


def test_own_circuit_lets_one_probe_through_and_closes_when_it_is_answered(
    transactional_db: None,
) -> None:
    _break_account()
    _let_cooldown_pass()
    breakers.begin_call("account:1", 9, timeout=30)
    with pytest.raises(Postpone):
        breakers.begin_call("account:1", 10, timeout=30)
    breakers.end_call("account:1", 9, POLICY, None)
    breakers.begin_call("account:1", 10, timeout=30)


def test_postponed_probe_makes_room_for_another(handler: Handler, service: Switch) -> None:
    _broken(service)
    _hand_over(2)
    _let_cooldown_pass()
    service.error = Postpone(after=60)
    assert run_due() == 2
    breaker = Breaker.objects.get()
    assert (breaker.state, breaker.probe) == (CircuitState.HALF_OPEN, None)
