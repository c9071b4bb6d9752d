"""What tells people of alerts."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.utils.translation import gettext_lazy as _

from events.alerts.messages import facts_of, message_of
from events.alerts.payloads import AlertRaised
from events.alerts.sending import send_mail, send_webhook
from events.models import Alert, AlertRule, Event
from events.registry import register_event_handler
from events.retry import Permanent, Retry
from events.types import EventType

log = structlog.get_logger(__name__)


class AlertNotSent(RuntimeError):
    """Whom a rule of all tenants tells did not take it; they may later."""


@register_event_handler(EventType.ALERT_RAISED, effects="external", timeout=30)
def mail_alert(event: Event) -> None:
    """Mail the alert to the addresses of its rule."""
    if alerts := _alerts_of(event):
        rule = alerts[0].rule
        with _discreetly(rule):
            send_mail(rule, message_of(alerts, _said_in(event)), event.id)


# Each rule has a receiver of its own: one that is away says nothing about the others.
@register_event_handler(EventType.ALERT_RAISED, effects="external", timeout=30, breaker=None)
def post_alert(event: Event) -> None:
    """Post the alert, signed, to the webhook of its rule."""
    if alerts := _alerts_of(event):
        rule, said = alerts[0].rule, _said_in(event)
        with _discreetly(rule):
            message = message_of(alerts, said)
            send_webhook(rule, message, event.id, event.payload | facts_of(alerts, said))


def _alerts_of(event: Event) -> list[Alert]:
    """The alerts of one rule that were raised with this event; none once the rule was deleted.

    Nothing in the payload leads to a rule: a correction, which is another event, tells nobody.
    """
    return list(Alert.objects.select_related("rule").filter(event_id=event.pk).order_by("id"))


def _said_in(event: Event) -> AlertRaised:
    return AlertRaised.model_validate(event.payload)


@contextmanager
def _discreetly(rule: AlertRule) -> Iterator[None]:
    """Keep whom a rule of all tenants tells out of the record, which is the one tenant's."""
    try:
        yield
    except Retry:
        raise
    except Exception as error:  # whatever it is, it may name them
        if rule.tenant_id:
            raise
        log.warning("alert_not_sent", rule=str(rule.pk), error=str(error))
        kind = Permanent if isinstance(error, Permanent) else AlertNotSent
        raise kind(_("The operator's receivers did not take the alert.")) from None
