"""The event backbone: publish, handle, retry, replay.

from events import EventType, publish, publishes, register_event_handler, replay_event
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from events.circuit import BreakerPolicy
    from events.payloads import Changes, Payload
    from events.publishers import Publisher, publishes
    from events.publishing import Draft, publish, publish_many
    from events.registry import Permanent, Postpone, Retry, register_event_handler
    from events.replays import replay_event
    from events.types import EventType

__all__ = [
    "BreakerPolicy",
    "Changes",
    "Draft",
    "EventType",
    "Payload",
    "Permanent",
    "Postpone",
    "Publisher",
    "Retry",
    "publish",
    "publish_many",
    "publishes",
    "register_event_handler",
    "replay_event",
]

_homes = {
    "BreakerPolicy": "events.circuit",
    "Changes": "events.payloads",
    "Draft": "events.publishing",
    "EventType": "events.types",
    "Payload": "events.payloads",
    "Permanent": "events.registry",
    "Postpone": "events.registry",
    "Publisher": "events.publishers",
    "Retry": "events.registry",
    "publish": "events.publishing",
    "publish_many": "events.publishing",
    "publishes": "events.publishers",
    "register_event_handler": "events.registry",
    "replay_event": "events.replays",
}


def __getattr__(name: str) -> Any:
    # Models cannot be imported while Django still loads its apps, and this package is one.
    if name in _homes:
        return getattr(import_module(_homes[name]), name)
    raise AttributeError(f"module 'events' has no attribute {name!r}")
