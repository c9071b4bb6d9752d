"""Handlers that call the service, and send their idempotency key along."""

from urllib.request import Request, urlopen

from events import register_event_handler
from events.models import Event
from tests.outside.payloads import BriefCallWanted, CallWanted, GentleCallWanted


def _call(event: Event) -> None:
    headers = {"Idempotency-Key": event.idempotency_key}
    with urlopen(Request(event.payload["url"], headers=headers)) as answer:
        answer.read()


@register_event_handler(CallWanted.event_type, effects="external", timeout=60)
def call_outside(event: Event) -> None:
    """Call the service, however long it takes."""
    _call(event)


@register_event_handler(BriefCallWanted.event_type, effects="external", timeout=1)
def call_briefly(event: Event) -> None:
    """Call the service, which has a second to answer."""
    _call(event)


@register_event_handler(GentleCallWanted.event_type, effects="external", concurrency=2)
def call_gently(event: Event) -> None:
    """Call the service, twice at a time at most."""
    _call(event)
