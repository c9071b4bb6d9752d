"""Where the events of the current request, task or command come from."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class EventContext:
    """What is written on every event published in it."""

    source: str = "system"
    request_id: str = ""
    actor_id: int | None = None
    cause_id: UUID | None = None


NOWHERE = EventContext()

_current: ContextVar[EventContext] = ContextVar("event_context", default=NOWHERE)


def current_event_context() -> EventContext:
    """The context that `publish` takes source, request id, actor and cause from."""
    return _current.get()


@contextmanager
def event_context(**changes: Any) -> Iterator[EventContext]:
    """Publish within this block with some of the context changed.

    Args:
        changes: fields of `EventContext`, such as `source="import"`.
    """
    token = _current.set(replace(_current.get(), **changes))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
