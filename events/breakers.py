"""The circuit breakers of the services that external handlers call, kept in PostgreSQL.

All workers share one circuit for each key, which is the handler's name. Deliveries to a handler
whose circuit is open are parked: they stay as they are, due and without a counted attempt, and go
when the circuit lets them. A failure counts against the service, unless it is `Permanent`: then the
service answered, and refused this one call. A lost worker says nothing about the service.

The decisions are in `events.circuit`. To lose rows of this table closes their circuits, no more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime

import structlog
from django.db.models.functions import Now

from events import registry
from events.circuit import BreakerPolicy, Circuit, CircuitState
from events.models import Breaker
from events.retry import Permanent

log = structlog.get_logger(__name__)

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
    """Count what came of a call; the row is held until the transaction ends, so call it last."""
    row, _created = Breaker.objects.select_for_update(no_key=True).get_or_create(key=key)
    answered = error is None or isinstance(error, Permanent)
    _save(row, circuit_of(row).after_call(delivery_id, answered, now, policy), now)


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
