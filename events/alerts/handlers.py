"""What tells people of alerts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.utils.translation import gettext_lazy as _

from events.alerts.messages import message_of
from events.alerts.payloads import AlertRaised
from events.alerts.sending import send_mail, send_webhook
from events.models import Alert, Event
from events.registry import register_event_handler
from events.retry import Permanent, Retry
from events.types import EventType

log = structlog.get_logger(__name__)


class AlertNotSent(RuntimeError):
    """Whom a rule of all tenants tells did not take it; they may later."""


@register_event_handler(EventType.ALERT_RAISED, effects="external", timeout=30)
def mail_alert(event: Event) -> None:
    """Mail the alert to the addresses of its rule."""
    if alert := _alert_of(event):
        with _discreetly(alert):
            send_mail(alert.rule, message_of(alert, _said_in(event)), event.id)


# Each rule has a receiver of its own: one that is away says nothing about the others.
@register_event_handler(EventType.ALERT_RAISED, effects="external", timeout=30, breaker=None)
def post_alert(event: Event) -> None:
    """Post the alert, signed, to the webhook of its rule."""
    if alert := _alert_of(event):
        with _discreetly(alert):
            message = message_of(alert, _said_in(event))
            send_webhook(alert.rule, message, event.id, event.payload | _facts_of(alert))


def _alert_of(event: Event) -> Alert | None:
    """The alert that was raised with this event; None once its rule was deleted.

    Nothing in the payload leads to a rule: a correction, which is another event, tells nobody.
    """
    return Alert.objects.select_related("rule").filter(event_id=event.pk).first()


def _said_in(event: Event) -> AlertRaised:
    return AlertRaised.model_validate(event.payload)


def _facts_of(alert: Alert) -> dict[str, Any]:
    """What a receiver of the rule is told beside what the event says."""
    return {
        "rule_id": alert.rule_id,
        "rule": alert.rule.name,
        "value": alert.value,
        "threshold": alert.threshold,
    }


@contextmanager
def _discreetly(alert: Alert) -> Iterator[None]:
    """Keep whom a rule of all tenants tells out of the record, which is the one tenant's."""
    try:
        yield
    except Retry:
        raise
    except Exception as error:  # whatever it is, it may name them
        if alert.rule.tenant_id:
            raise
        log.warning("alert_not_sent", rule=str(alert.rule_id), error=str(error))
        kind = Permanent if isinstance(error, Permanent) else AlertNotSent
        raise kind(_("The operator's receivers did not take the alert.")) from None
