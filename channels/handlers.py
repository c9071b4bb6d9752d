"""What happens to messages after they were written, and to what vendors hand over."""

from channels.delivering import MOST_ATTEMPTS, deliver
from channels.fetching import fetch
from channels.payloads import (
    AccountTrialRequested,
    FilesAnnounced,
    InboundReceived,
    MessageQueued,
)
from channels.receiving import take_in
from channels.trials import run_trial
from events import EventType, register_event_handler
from events.models import Event

# Seconds. A mail with large attachments takes its time on a slow server.
LONGEST_CALL = 120.0
# More than a message has: it shall give itself up, and say so, also where workers were lost or the
# database was away before it was tried.
MOST_RUNS = 2 * MOST_ATTEMPTS


@register_event_handler(
    EventType.MESSAGE_QUEUED,
    effects="external",
    on_replay="skip",
    max_attempts=MOST_RUNS,
    timeout=LONGEST_CALL,
    # Each account has a circuit of its own: one customer's broken server stops nobody else.
    breaker=None,
)
def deliver_message(event: Event) -> None:
    """Give a queued message to its transport.

    A message that is refused for good fails this event too, with the vendor's reason, so that an
    admin sees it and can replay it once the cause is gone; see `channels.delivering.deliver`.
    """
    queued = event.data
    assert isinstance(queued, MessageQueued)
    deliver(queued.message_id)


@register_event_handler(EventType.FILES_ANNOUNCED, effects="external", breaker=None)
def fetch_files(event: Event) -> None:
    """Fetch the files of a message that its vendor only named."""
    announced = event.data
    assert isinstance(announced, FilesAnnounced)
    fetch(announced.message_id)


@register_event_handler(EventType.INBOUND_RECEIVED)
def take_in_inbound(event: Event) -> None:
    """Read what a vendor has handed over, and write down what it says."""
    received = event.data
    assert isinstance(received, InboundReceived)
    take_in(received.inbound_id)


@register_event_handler(
    EventType.ACCOUNT_TRIAL_REQUESTED,
    effects="external",
    on_replay="skip",
    # The second one finds that the first was interrupted, and says so.
    max_attempts=2,
    timeout=60.0,
    breaker=None,
)
def try_account(event: Event) -> None:
    """See whether an account works, for somebody who waits for the answer."""
    requested = event.data
    assert isinstance(requested, AccountTrialRequested)
    run_trial(requested.trial_id)
