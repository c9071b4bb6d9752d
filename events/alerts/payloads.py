"""What an alert says."""

from uuid import UUID

from events.payloads import Payload
from events.types import EventType


class AlertRaised(Payload, type=EventType.ALERT_RAISED):
    """A rule found something that people want to be told of.

    Attributes:
        rule, kind: name and kind of the rule, as they were.
        fingerprint: of the failure group; empty where it is about none.
        handler: whose failures they are; empty where it is about pending events.
        error: the group's exception and message, numbers and ids masked.
        value, threshold: what was measured and what is still fine: per cent, or seconds.
    """

    rule_id: UUID
    rule: str
    kind: str
    fingerprint: str = ""
    handler: str = ""
    error: str = ""
    value: float | None = None
    threshold: float | None = None
