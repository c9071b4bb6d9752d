"""Sending: an alert as a mail, and as a signed webhook."""

import json
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext_lazy as _

from events.alerts import webhooks
from events.alerts.messages import Message
from events.models import AlertRule
from events.retry import Permanent
from salesflow.accounts import mailing


def send_mail(rule: AlertRule, message: Message, message_id: UUID) -> int:
    """Send the message to all addresses of the rule; returns how many those are.

    Args:
        message_id: the same at every attempt, for mail servers that drop what they have already.

    Raises:
        Permanent: nobody has said which mail server to use.
        OSError: the server does not take it; `smtplib.SMTPException` is one.
    """
    if not rule.emails:
        return 0
    if not settings.EMAIL_URL:
        raise Permanent(_("No mail server is set: SALESFLOW_EMAIL_URL."))
    paragraphs = [message.title, *message.lines, message.url]
    mailing.send_mail(rule.emails, message.title, paragraphs, message_id)
    return len(rule.emails)


def send_webhook(rule: AlertRule, message: Message, message_id: UUID, alert: dict[str, Any]) -> int:
    """Post the message to the webhook of the rule.

    Args:
        alert: what the alert says, as data; empty for a test.

    Returns:
        The HTTP status of the answer; 0 where the rule has no webhook.

    Raises:
        Permanent, Retry, WebhookFailed: see `events.alerts.webhooks.post`.
    """
    if not rule.webhook_url:
        return 0
    figures = asdict(message.figures) if message.figures else {}
    told = {"title": message.title, "lines": message.lines, "url": message.url}
    kind = "digest" if alert.get("is_digest") else "raised" if alert else "test"
    body = {"type": f"alert.{kind}", "data": {**told, **figures, **alert}}
    content = json.dumps(body, cls=DjangoJSONEncoder).encode()
    return webhooks.post(rule.webhook_url, rule.webhook_secret, content, str(message_id))
