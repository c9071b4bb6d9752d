"""What the backbone itself does about events: it tells people of alerts."""

from events.alerts import handlers

__all__ = ["handlers"]
