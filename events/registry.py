"""The handlers that installed apps declare, found at start-up."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from django.core.exceptions import ImproperlyConfigured

from events.circuit import BreakerPolicy
from events.payloads import payload_types
from events.retry import Permanent, Postpone, Retry, RetryPolicy

__all__ = ["BreakerPolicy", "Handler", "Permanent", "Postpone", "Retry", "register_event_handler"]

Effects = Literal["database", "external"]
OnReplay = Literal["run", "skip"]
F = TypeVar("F", bound=Callable[..., Any])

# Seconds that an external call may take, by default and at most: others wait for its process.
TIMEOUT, LONGEST_TIMEOUT = 30.0, 600.0
BREAKER = BreakerPolicy()


@dataclass(frozen=True)
class Handler:
    """A reaction to events, and what it declares about itself.

    Attributes:
        effects: "database" runs in the settling transaction, "external" in none.
        batch: called with a list of events of one tenant instead of with one event.
        on_replay: "skip" leaves it out of replays that do not ask for external effects.
        timeout: seconds that a call of an external handler may take; then it is interrupted.
        concurrency: how many calls of an external handler may run at once, in all workers
            together; None leaves it to the number of workers.
        breaker: when an external handler is not called for a while; None: never.
        ordered: takes the events of one subject in the order in which they were published; one
            that failed holds its successors back.
    """

    name: str
    function: Callable[..., Any]
    types: frozenset[str]
    effects: Effects = "database"
    batch: bool = False
    on_replay: OnReplay = "run"
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: float = TIMEOUT
    ordered: bool = False
    concurrency: int | None = None
    breaker: BreakerPolicy | None = BREAKER

    @property
    def module(self) -> str:
        """The dotted module that declares it."""
        return self.function.__module__

    @property
    def is_external(self) -> bool:
        """Whether its effects leave the database."""
        return self.effects == "external"

    @property
    def skips_replays(self) -> bool:
        """Whether a replay leaves it out unless it is asked for external effects."""
        return self.on_replay == "skip"


_handlers: dict[str, Handler] = {}


class Options(TypedDict, total=False):
    """What a handler declares just as its fields have it, see `Handler`."""

    batch: bool
    timeout: float
    ordered: bool
    concurrency: int | None
    breaker: BreakerPolicy | None


def register_event_handler(
    *types: str,
    name: str = "",
    effects: Effects = "database",
    on_replay: OnReplay | None = None,
    max_attempts: int | None = None,
    **options: Unpack[Options],
) -> Callable[[F], F]:
    """Declare the decorated function a handler of events of `types`.

    Args:
        types: event types, such as `EventType.LEAD_CREATED`.
        name: its name in deliveries, for ever; by default the function's.
        effects: see `Handler`.
        on_replay: by default "run" for database effects, "skip" for external ones.
        max_attempts: tries in all; by default 3 for database effects, 8 for external ones.
        options: `batch`, `timeout`, `ordered`, `concurrency` and `breaker`, see `Handler`.

    Raises:
        ImproperlyConfigured: the name is taken, no type is given, or the options contradict
            each other. An unknown type is found when all apps are loaded.
    """

    def register(function: F) -> F:
        external = effects == "external"
        add_handler(
            Handler(
                name=name or function.__name__,
                function=function,
                types=frozenset(map(str, types)),
                effects=effects,
                on_replay=on_replay or ("skip" if external else "run"),
                retry=RetryPolicy(max_attempts=max_attempts or (8 if external else 3)),
                **options,
            )
        )
        return function

    return register


def add_handler(handler: Handler) -> None:
    """Add a handler; see `register_event_handler` for what it refuses."""
    if problem := _contradiction(handler):
        raise ImproperlyConfigured(f"Handler “{handler.name}” {problem}")
    known = _handlers.setdefault(handler.name, handler)
    if known is not handler:
        raise ImproperlyConfigured(
            f"Two handlers are called “{handler.name}”: one in {known.module}, "
            f"one in {handler.module}. Rename one, or give it a name=…."
        )


def _contradiction(handler: Handler) -> str:
    """What is wrong with a declaration, to follow the handler's name; empty if nothing is."""
    about_calls = (handler.timeout, handler.concurrency, handler.breaker)
    if not handler.types:
        return "names no event type."
    if not handler.is_external and about_calls != (TIMEOUT, None, BREAKER):
        return "has database effects: timeout, concurrency and breaker are of external handlers."
    if handler.is_external and handler.batch:
        return (
            "is external: it cannot take batches, "
            "since each of its calls is leased and retried by itself."
        )
    if not 0 < handler.timeout <= LONGEST_TIMEOUT:
        return f"has a timeout of {handler.timeout:g} s: give one up to {LONGEST_TIMEOUT:g} s."
    if handler.concurrency is not None and handler.concurrency < 1:
        return f"has a concurrency of {handler.concurrency}: give 1 or more, or None."
    return ""


def remove_handler(name: str) -> None:
    """Forget a handler (tests register handlers of their own)."""
    _handlers.pop(name, None)


def wants_consent(name: str) -> bool:
    """Whether whoever runs that handler again is told first whom it would reach."""
    handler = get_handler(name)
    return bool(handler and (handler.is_external or handler.skips_replays))


def get_handler(name: str) -> Handler | None:
    """The handler called `name`, if an installed app declares it."""
    return _handlers.get(name)


def all_handlers() -> list[Handler]:
    """All handlers by name."""
    return [_handlers[name] for name in sorted(_handlers)]


def handlers_of(event_type: str) -> list[Handler]:
    """The handlers of an event type, in the order of their declaration."""
    return [handler for handler in _handlers.values() if event_type in handler.types]


def check_event_types(handlers: Iterable[Handler] | None = None) -> None:
    """Refuse handlers of event types that no app declares.

    Raises:
        ImproperlyConfigured: with the handler, the type and the nearest known one.
    """
    known = payload_types()
    for handler in handlers or all_handlers():
        for event_type in sorted(handler.types - known.keys()):
            close = difflib.get_close_matches(event_type, known, n=1)
            hint = f"Did you mean “{close[0]}”?" if close else "Declare a payload for it."
            raise ImproperlyConfigured(
                f"Handler “{handler.name}” in {handler.module} listens to the unknown "
                f"event type “{event_type}”. {hint}"
            )
