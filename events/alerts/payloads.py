"""What an alert says."""

from typing import Annotated

from events.payloads import READ_ONLY, Payload
from events.types import EventType

Told = Annotated[str, READ_ONLY]


class AlertRaised(Payload, type=EventType.ALERT_RAISED):
    """A rule found something that people want to be told of.

    It says what everybody at the tenant may know. Whose rule it was, what was measured, of other
    tenants too, and who is told is beside the log, in the row of the alert: see
    `events.models.Alert`.

    Attributes:
        kind: of the rule.
        fingerprint: of the failure group; empty where it is about none.
        handler: whose failures they are; empty where it is about pending events.
        error: the group's exception and message, numbers and ids masked.
        is_digest: whether it is about several things, which are beside the log, too.
    """

    kind: Told
    fingerprint: Told = ""
    handler: Told = ""
    error: Told = ""
    is_digest: Annotated[bool, READ_ONLY] = False
