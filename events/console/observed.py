"""What the handlers did of late, and how they are: read once for the pages that show it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events import breakers, rates, registry
from events.breakers import BreakerState
from events.circuit import CircuitState
from events.console.charts import sparkline
from events.console.queues import Tenants, tenants_seen_by
from events.console.verdict import is_broken, percent
from events.failures.queries import SeenFailure, failures_seen
from events.models import HandlerPause, Tally
from events.rates import Activity, Rate
from events.registry import Handler
from events.tallies import quantile

MINUTES, HOURS = 60, 24


@dataclass(frozen=True)
class Observed:
    """Everything that is read, of the tenants that the user may see.

    Attributes:
        durations: handler → how many events took how long, in the last hour.
        breakers: all of them, whosever calls broke them.
    """

    tenants: Tenants
    minutes: Activity
    hours: Activity
    durations: dict[str, list[int]]
    breakers: dict[str, BreakerState]
    pauses: dict[str, HandlerPause]

    @property
    def now(self) -> datetime:
        """The database's time."""
        return self.minutes.now

    def row(self, name: str) -> "HandlerRow":
        """What the pages show of one handler."""
        minutes = self.minutes.handlers.get(name, [])
        durations = self.durations.get(name, [])
        return HandlerRow(
            name=name,
            handler=registry.get_handler(name),
            hour=rates.summed(minutes, self.minutes.starts[0]),
            day=rates.summed(self.hours.handlers.get(name, []), self.hours.starts[0]),
            minutes=rates.by_time({name: minutes}, self.minutes.starts),
            median=seconds_text(quantile(durations, 0.5)),
            slow=seconds_text(quantile(durations, 0.95)),
            breaker=self.breakers.get(name),
            pause=self.pauses.get(name),
        )

    def rows(self) -> list["HandlerRow"]:
        """All handlers, and those that no app has any more but that left traces, by name."""
        declared = {handler.name for handler in registry.all_handlers()}
        names = declared | self.hours.handlers.keys() | self.pauses.keys() | self._open_breakers()
        return [self.row(name) for name in sorted(names)]

    def _open_breakers(self) -> set[str]:
        return {key for key, state in self.breakers.items() if is_broken(state)}


@dataclass(frozen=True)
class HandlerRow:
    """A handler, as lists show it.

    Attributes:
        handler: None where no installed app declares it.
        hour: what it did in the last hour; `day`, in the last 24; `minutes`, minute by minute.
        median: what half of its events took no longer than; `slow`, 95 % of them.
    """

    name: str
    handler: Handler | None
    hour: Rate
    day: Rate
    minutes: list[Rate]
    median: str
    slow: str
    breaker: BreakerState | None
    pause: HandlerPause | None

    @property
    def percent(self) -> str:
        """The share of the last hour's attempts that failed."""
        return percent(self.hour.share)

    @property
    def is_broken(self) -> bool:
        """Whether its circuit keeps calls from its service."""
        return self.breaker is not None and is_broken(self.breaker)

    @property
    def types(self) -> list[str]:
        """The event types that it listens to."""
        return sorted(self.handler.types) if self.handler else []

    @property
    def circuit_label(self) -> str:
        """The state of its circuit in words; empty where it has none."""
        return str(CircuitState(self.breaker.state).label) if self.breaker else ""

    @property
    def circuit_tone(self) -> str:
        """The state of its circuit as `data-status`."""
        tones = {CircuitState.CLOSED: "succeeded", CircuitState.OPEN: "failed"}
        return tones.get(CircuitState(self.breaker.state), "pending") if self.breaker else ""

    @property
    def tone(self) -> str:
        """How bad it is, as `data-status` has it."""
        if self.hour.failed or self.is_broken:
            return "failed"
        return "pending" if self.hour.retried or self.pause else ""

    @property
    def spark(self) -> str:
        """The points of what it was given in the last hour."""
        return sparkline([rate.tried for rate in self.minutes])

    @property
    def spark_broken(self) -> str:
        """The points of what failed of it, in the same scale; empty where nothing did."""
        if not self.hour.broken:
            return ""
        top = max(rate.tried for rate in self.minutes)
        return sparkline([rate.broken for rate in self.minutes], top=top)


def observe(user: Any) -> Observed:
    """Look at all handlers; five queries, whatever their number."""
    tenants = tenants_seen_by(user)
    pauses = HandlerPause.objects.select_related("actor").order_by("handler")
    return Observed(
        tenants=tenants,
        minutes=rates.activity(Tally.Span.MINUTE, MINUTES, tenants),
        hours=rates.activity(Tally.Span.HOUR, HOURS, tenants),
        durations=rates.durations(Tally.Span.MINUTE, MINUTES, tenants),
        breakers={state.key: state for state in breakers.states()},
        pauses={pause.handler: pause for pause in pauses},
    )


def failures_with_sparks(user: Any, **narrowed: Any) -> list[tuple[SeenFailure, str]]:
    """The failures that the user may see, each with the points of its sparkline.

    Args:
        narrowed: see `failures_seen`.
    """
    seen = failures_seen(user, **narrowed)
    return [(failure, sparkline(failure.spark)) for failure in seen]


def seconds_text(seconds: float | None) -> str:
    """A duration with two digits that count: “0.8 ms”, “35 ms”, “1.2 s”; “–” for none."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.2g} ms" if seconds < 0.0995 else f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
