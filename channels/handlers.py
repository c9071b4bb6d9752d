"""What happens to messages after they were written."""

from channels.delivering import MOST_ATTEMPTS, deliver
from channels.payloads import MessageQueued
from events import EventType, register_event_handler
from events.models import Event


@register_event_handler(
    EventType.MESSAGE_QUEUED, effects="external", on_replay="skip", max_attempts=MOST_ATTEMPTS
)
def deliver_message(event: Event) -> None:
    """Give a queued message to its transport.

    A message that is refused for good fails this event too, with the vendor's reason, so that an
    admin sees it and can replay it once the cause is gone; see `channels.delivering.deliver`.
    """
    queued = event.data
    assert isinstance(queued, MessageQueued)
    deliver(queued.message_id)
