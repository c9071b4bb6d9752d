"""What tells people of alerts."""

from events.alerts.messages import message_of
from events.alerts.sending import send_mail, send_webhook
from events.models import AlertRule, Event
from events.registry import register_event_handler
from events.types import EventType


@register_event_handler(EventType.ALERT_RAISED, effects="external", timeout=30)
def mail_alert(event: Event) -> None:
    """Mail the alert to the addresses of its rule."""
    if rule := _rule_of(event):
        send_mail(rule, message_of(event.data, rule), event.id)  # type: ignore[arg-type]


# Each rule has a receiver of its own: one that is away says nothing about the others.
@register_event_handler(EventType.ALERT_RAISED, effects="external", timeout=30, breaker=None)
def post_alert(event: Event) -> None:
    """Post the alert, signed, to the webhook of its rule."""
    if rule := _rule_of(event):
        message = message_of(event.data, rule)  # type: ignore[arg-type]
        send_webhook(rule, message, event.id, event.payload)


def _rule_of(event: Event) -> AlertRule | None:
    """The rule that raised it, as it is now; None once it was deleted."""
    return AlertRule.objects.filter(pk=event.payload["rule_id"]).first()
