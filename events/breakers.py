"""The circuit breakers of the services that external handlers call, kept in PostgreSQL.

All workers share one circuit for each key, which is the handler's name. Deliveries to a handler
whose circuit is open are parked: they stay as they are, due and without a counted attempt, and go
when the circuit lets them. A failure counts against the service, unless it is `Permanent`: then the
service answered, and refused this one call. A lost worker says nothing about the service.

The decisions are in `events.circuit`. To lose rows of this table closes their circuits, no more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from events import registry
from events.circuit import BreakerPolicy, Circuit, CircuitState
from events.models import Breaker
from events.retry import Permanent, Postpone

log = structlog.get_logger(__name__)

# Seconds after which somebody looks again whose call another's probe stands before.
SHORTEST_WAIT = 1.0
FIELDS = [field.name for field in fields(Circuit)]


@dataclass(frozen=True)
class BreakerState:
    """What a breaker looks like from outside.

    Attributes:
        key: the handler's name.
        calls: of the latest window, estimated; `failure_rate` is the share of them that failed.
        retry_at: when the next probe goes, unless it is closed.
        since: when it came into this state; None for one that has never been called.
    """

    key: str
    state: str
    calls: float
    failure_rate: float
    retry_at: datetime | None
    since: datetime | None


def states() -> list[BreakerState]:
    """The breakers of all external handlers, and whatever others there are, by key."""
    handlers = [handler for handler in registry.all_handlers() if handler.is_external]
    policies = {handler.name: handler.breaker for handler in handlers if handler.breaker}
    rows = {row.key: row for row in Breaker.objects.annotate(read_at=Now())}
    return [_state(key, rows.get(key), policies.get(key)) for key in sorted({*policies, *rows})]


def _state(key: str, row: Breaker | None, policy: BreakerPolicy | None) -> BreakerState:
    if row is None:
        return BreakerState(key, CircuitState.CLOSED, 0.0, 0.0, None, None)
    read_at: datetime = row.read_at  # type: ignore[attr-defined]
    calls, failures = circuit_of(row).rates(read_at, policy or BreakerPolicy())
    rate = failures / calls if calls else 0.0
    return BreakerState(key, row.state, calls, rate, row.retry_at, row.changed_at)


def refused(keys: Iterable[str]) -> set[str]:
    """Those of the services that are not called now."""
    broken = Breaker.objects.filter(key__in=keys, retry_at__gt=Now())
    return set(broken.exclude(state=CircuitState.CLOSED).values_list("key", flat=True))


def admitted(key: str, now: datetime) -> Breaker | None:
    """The breaker, if it lets a call through now; one that is not closed is held for the probe.

    The caller sees to it that nobody else asks for this key until the transaction ends.
    """
    row: Breaker | None = Breaker.objects.filter(key=key).first() or Breaker(key=key)
    if row and row.state != CircuitState.CLOSED:
        # Who holds it now is about to report; the next look will see what came of that.
        rows = Breaker.objects.select_for_update(skip_locked=True, no_key=True)
        row = rows.filter(key=key).first()
    return row if row and circuit_of(row).admits(now) else None


def begin_probe(row: Breaker, delivery_id: int, now: datetime, until: datetime) -> None:
    """Unless it is closed, let this delivery be the only call until it reports, or until then."""
    if row.state != CircuitState.CLOSED:
        _save(row, circuit_of(row).probed_by(delivery_id, until), now)


def record_call(
    key: str, policy: BreakerPolicy, delivery_id: int, error: Exception | None, now: datetime
) -> None:
    """Count what came of a call; the row is held until the transaction ends, so call it last.

    One that was postponed says nothing about the service: where it was the probe, the next one is.
    """
    row, _is_new = Breaker.objects.select_for_update(no_key=True).get_or_create(key=key)
    circuit = circuit_of(row)
    if isinstance(error, Postpone):
        ended = circuit.without_probe(delivery_id)
    else:
        answered = error is None or isinstance(error, Permanent)
        ended = circuit.after_call(delivery_id, answered, now, policy)
    _save(row, ended, now)


def begin_call(key: str, call_id: int, timeout: float) -> None:
    """Ask a circuit of a handler's own, such as that of one customer's account, for a call.

    Whoever was let through says with `end_call` what came of it. Not in the caller's transaction:
    others have to see the probe.

    Args:
        key: free, but none of a handler's name; a colon keeps it apart.
        call_id: the same in `end_call`; tells the probe from other calls.
        timeout: seconds after which the call counts as lost.

    Raises:
        Postpone: until the circuit lets somebody through.
    """
    with transaction.atomic():
        now = _now()
        row = admitted(key, now)
        if row:
            begin_probe(row, call_id, now, now + timedelta(seconds=timeout))
            return
        retry_at = Breaker.objects.filter(key=key).values_list("retry_at", flat=True).first()
    wait = (retry_at - now).total_seconds() if retry_at else 0.0
    raise Postpone(max(SHORTEST_WAIT, wait), _("The service is left alone after many failures."))


def end_call(key: str, call_id: int, policy: BreakerPolicy, error: Exception | None) -> None:
    """Tell the circuit what came of a call: see `record_call`."""
    with transaction.atomic():
        record_call(key, policy, call_id, error, _now())


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def circuit_of(row: Breaker) -> Circuit:
    """The circuit whose state the row keeps."""
    return Circuit(**{name: getattr(row, name) for name in FIELDS})


def _save(row: Breaker, circuit: Circuit, now: datetime) -> None:
    if circuit.state != row.state:
        row.changed_at = now
        retry_at = circuit.retry_at.isoformat() if circuit.retry_at else None
        log.warning(f"breaker_{circuit.state}", breaker=row.key, retry_at=retry_at)
    for name in FIELDS:
        setattr(row, name, getattr(circuit, name))
    row.save(update_fields=[*FIELDS, "changed_at"])
