"""The event log, which is also the queue: events, what each handler did, and replays.

None of these tables has foreign key constraints: they are written thousands of rows a second,
never updated by hand, and pruned in an order that keeps them whole.
"""

from events.models.alert import Alert, AlertRule
from events.models.audit import AuditLine
from events.models.breaker import Breaker
from events.models.delivery import Attempt, Delivery, DeliveryStatus
from events.models.event import Event, EventStatus, tenants_of
from events.models.failure import FailureCount, FailureGroup
from events.models.journal import JournalEntry
from events.models.pause import HandlerPause
from events.models.replay import Replay, ReplayItem
from events.models.tally import Tally

__all__ = [
    "Alert",
    "AlertRule",
    "Attempt",
    "AuditLine",
    "Breaker",
    "Delivery",
    "DeliveryStatus",
    "Event",
    "EventStatus",
    "FailureCount",
    "FailureGroup",
    "HandlerPause",
    "JournalEntry",
    "Replay",
    "ReplayItem",
    "Tally",
    "tenants_of",
]
