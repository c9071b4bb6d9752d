"""The state of the queues for Prometheus, read from the database when it asks."""

from collections.abc import Iterable, Iterator, Mapping

import psycopg
import structlog
from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from events import registry
from events.backlog import Backlog, BreakerRow, PauseRow, probe, read_backlog
from events.circuit import CircuitState

log = structlog.get_logger(__name__)


class Gauges(Collector):
    """Asks the database once a scrape, and tells when it does not answer."""

    def collect(self) -> Iterable[Metric]:
        """The gauges; only `salesflow_database_up` while the database is away."""
        try:
            with probe() as own:
                backlog = read_backlog(own)
        except psycopg.Error as error:
            reason = str(error).strip().partition("\n")[0]
            log.warning("state_unreadable", error=f"{type(error).__name__}: {reason}")
            return [_database_up(0)]
        return [_database_up(1), *gauges_of(backlog)]


def _database_up(value: int) -> Metric:
    text = "Whether the queues' state could be read from the database."
    return GaugeMetricFamily("salesflow_database_up", text, value)


def gauges_of(backlog: Backlog) -> Iterator[Metric]:
    """What Prometheus is told of the queues."""
    yield from _waiting(backlog)
    yield _by_label(
        "salesflow_retries_waiting",
        "Deliveries that failed and will be tried again; counted up to 10,000 in all.",
        "handler",
        backlog.retrying,
    )
    yield GaugeMetricFamily(
        "salesflow_failed_events",
        "Events that a handler has given up, until they are replayed; counted up to 10,000.",
        backlog.failed,
    )
    yield GaugeMetricFamily(
        "salesflow_oldest_batch_seconds",
        "How long the batch that is held for longest has been held.",
        backlog.batch.seconds if backlog.batch else 0.0,
    )
    yield _breakers(backlog.breakers)
    yield _by_label(
        "salesflow_handler_paused",
        "Whether somebody has paused the handler.",
        "handler",
        _paused(backlog.pauses),
    )


def _waiting(backlog: Backlog) -> Iterator[Metric]:
    queues = {"events": backlog.events, "external": backlog.longest_external}
    yield _by_label(
        "salesflow_oldest_pending_seconds",
        "How long the oldest due event, or delivery to an external handler, has been due.",
        "queue",
        {name: waiting.seconds for name, waiting in queues.items()},
    )
    yield _by_label(
        "salesflow_pending",
        "What is due; counted up to 10,000.",
        "queue",
        {name: waiting.count for name, waiting in queues.items()},
    )
    yield _by_label(
        "salesflow_external_pending",
        "Deliveries to external handlers that are due; counted up to 10,000.",
        "handler",
        {name: waiting.count for name, waiting in backlog.external.items()},
    )


def _by_label(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], value)
    return gauge


def _paused(rows: Iterable[PauseRow]) -> dict[str, float]:
    states = dict.fromkeys((handler.name for handler in registry.all_handlers()), 0.0)
    return states | {row.handler: 1.0 for row in rows}


def _breakers(rows: Iterable[BreakerRow]) -> Metric:
    """One series for each breaker and state, of which one is 1; unused ones are closed.

    Circuits of a handler's own, whose keys have a colon, are left out: there is one for each
    account of each tenant, and what is wrong with it is the tenant's to know.
    """
    handlers = [handler for handler in registry.all_handlers() if handler.is_external]
    states = {handler.name: str(CircuitState.CLOSED) for handler in handlers if handler.breaker}
    states |= {row.key: row.state for row in rows if ":" not in row.key}
    text = "Whether the circuit breaker is in that state."
    gauge = GaugeMetricFamily("salesflow_breaker_state", text, labels=["breaker", "state"])
    for key, state in sorted(states.items()):
        for possible in CircuitState.values:
            gauge.add_metric([key, possible], float(possible == state))
    return gauge
