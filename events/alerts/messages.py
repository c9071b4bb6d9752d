"""What an alert says to people, in the language that is current, with figures of this moment."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Max, Min, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.alerts.payloads import AlertRaised
from events.models import Alert, AlertRule, FailureGroup

Kind = AlertRule.Kind


@dataclass(frozen=True)
class Figures:
    """What is known of a failure group by now."""

    occurrences: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True)
class Message:
    """An alert as it is sent.

    Attributes:
        title: one line.
        lines: what else there is to say, a sentence each.
        url: of the page with the failures.
    """

    title: str
    lines: tuple[str, ...]
    url: str
    figures: Figures | None = None


def message_of(alert: Alert, said: AlertRaised) -> Message:
    """What to send about an alert, with what its event says."""
    figures = _figures_of(said, alert.rule)
    lines = [said.error, *_told(figures), _reason(alert)]
    return Message(title_of(alert, said), tuple(filter(None, lines)), _url_of(said), figures)


def test_message(rule: AlertRule) -> Message:
    """What “send a test” sends."""
    title = _("A test of the alert rule “%(rule)s”") % {"rule": rule.name}
    url = f"{settings.BASE_URL}{reverse('admin:index')}"
    return Message(title, (_("If you can read this, alerts arrive here."),), url)


def title_of(alert: Alert, said: AlertRaised) -> str:
    """The alert in one line."""
    values = {"handler": said.handler, "value": alert.value}
    if said.kind == Kind.NEW_GROUP:
        return _("%(handler)s fails in a new way") % values
    if said.kind == Kind.REOPENED:
        return _("%(handler)s fails again in a way that was resolved") % values
    if said.kind == Kind.FAILURE_RATE:
        return _("%(handler)s: %(value)g %% of the last ten minutes' attempts failed") % values
    return _("The oldest pending event has been due for %(value)g s") % values


def _reason(alert: Alert) -> str:
    """Why this was sent, and when there will be another one."""
    values = {"rule": alert.rule.name, "threshold": alert.threshold}
    if alert.threshold is None:
        text = _("The rule “%(rule)s” asked for this; it tells of the same at most once an hour.")
    else:
        text = _(
            "The rule “%(rule)s” asked for this: more than %(threshold)g; it tells of the same at "
            "most once an hour."
        )
    return text % values


def _figures_of(said: AlertRaised, rule: AlertRule) -> Figures | None:
    if not said.fingerprint:
        return None
    groups = FailureGroup.unscoped.filter(fingerprint=said.fingerprint)
    if rule.tenant_id:
        groups = groups.filter(tenant_id=rule.tenant_id)
    found: dict[str, Any] = groups.aggregate(
        occurrences=Sum("occurrences"),
        first_seen_at=Min("first_seen_at"),
        last_seen_at=Max("last_seen_at"),
    )
    return Figures(**found) if found["occurrences"] else None


def _told(figures: Figures | None) -> list[str]:
    if figures is None:
        return []
    text = ngettext(
        "It was seen %(n)d time, first at %(first)s, last at %(last)s.",
        "It was seen %(n)d times, first at %(first)s, last at %(last)s.",
        figures.occurrences,
    )
    moments = {"first": figures.first_seen_at, "last": figures.last_seen_at}
    told = {name: f"{moment:%Y-%m-%d %H:%M:%S %Z}" for name, moment in moments.items()}
    return [text % {"n": figures.occurrences, **told}]


def _url_of(said: AlertRaised) -> str:
    if said.fingerprint:
        path = reverse("admin:events_failure", args=[said.fingerprint])
    else:
        query = {"handler": said.handler} if said.handler else {"status": "pending"}
        path = f"{reverse('admin:events_event_changelist')}?{urlencode(query)}"
    return f"{settings.BASE_URL}{path}"
