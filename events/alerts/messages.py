"""What an alert says to people, in the language that is current, with figures of this moment."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Max, Min, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.alerts.digests import MOST_ALONE
from events.alerts.payloads import AlertRaised
from events.models import Alert, AlertRule, FailureGroup

Kind = AlertRule.Kind
# More than these a digest only counts: all are in the console.
MOST_LISTED = 1000


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


def message_of(alerts: list[Alert], said: AlertRaised) -> Message:
    """What to send about the alerts of one event, with what that says."""
    if said.is_digest:
        return _digest(alerts, said)
    [alert] = alerts
    figures = _figures_of(said, alert.rule)
    lines = [said.error, *_told(figures), _reason(alert)]
    return Message(title_of(alert, said), tuple(filter(None, lines)), _url_of(said), figures)


def facts_of(alerts: list[Alert], said: AlertRaised) -> dict[str, Any]:
    """What a receiver of the rule is told beside what the event says."""
    rule = alerts[0].rule
    facts = {"rule_id": rule.pk, "rule": rule.name}
    if not said.is_digest:
        return facts | _measured(alerts[0])
    listed = [
        each.model_dump(exclude={"is_digest"}) | _measured(alert)
        for alert, each in _each_of(alerts[:MOST_LISTED])
    ]
    return facts | {"alerts": listed}


def _measured(alert: Alert) -> dict[str, Any]:
    return {"value": alert.value, "threshold": alert.threshold}


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


# --- Digests ------------------------------------------------------------------------------------


def _digest(alerts: list[Alert], said: AlertRaised) -> Message:
    title = ngettext(
        "%(number)s more alert of the rule “%(rule)s”",
        "%(number)s more alerts of the rule “%(rule)s”",
        len(alerts),
    )
    values = {"number": intcomma(len(alerts)), "rule": alerts[0].rule.name}
    lines = [_line_of(alert, each) for alert, each in _each_of(alerts[:MOST_LISTED])]
    if left := len(alerts) - len(lines):
        lines.append(_("And %(number)s more.") % {"number": intcomma(left)})
    why = _(
        "A rule tells of %(most)s things an hour one by one, and of all others together, at most "
        "once an hour."
    )
    return Message(title % values, (*lines, why % {"most": MOST_ALONE}), _url_of(said))


def _each_of(alerts: list[Alert]) -> list[tuple[Alert, AlertRaised]]:
    """The alerts, each with what an event of its own would have said."""
    rule = alerts[0].rule
    if rule.kind not in (Kind.NEW_GROUP, Kind.REOPENED):
        return [(alert, AlertRaised(kind=rule.kind, handler=alert.key)) for alert in alerts]
    groups = FailureGroup.unscoped.filter(fingerprint__in=[alert.key for alert in alerts])
    if rule.tenant_id:
        groups = groups.filter(tenant_id=rule.tenant_id)
    known = {str(group.fingerprint): group for group in groups}
    return [(alert, _said_of(alert, known.get(alert.key))) for alert in alerts]


def _said_of(alert: Alert, group: FailureGroup | None) -> AlertRaised:
    said = AlertRaised(kind=alert.rule.kind, fingerprint=alert.key)
    if group is None:  # it was pruned meanwhile
        return said
    error = ": ".join(filter(None, [group.error_type, group.message]))
    return said.model_copy(update={"handler": group.handler, "error": error})


def _line_of(alert: Alert, said: AlertRaised) -> str:
    if said.error:
        return f"{said.handler}: {said.error}"
    return title_of(alert, said) if said.handler else said.fingerprint


# --- What else is said --------------------------------------------------------------------------


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
        "It was seen %(n)s time, first at %(first)s, last at %(last)s.",
        "It was seen %(n)s times, first at %(first)s, last at %(last)s.",
        figures.occurrences,
    )
    moments = {"first": figures.first_seen_at, "last": figures.last_seen_at}
    told = {name: f"{moment:%Y-%m-%d %H:%M:%S %Z}" for name, moment in moments.items()}
    return [text % {"n": intcomma(figures.occurrences), **told}]


def _url_of(said: AlertRaised) -> str:
    if said.is_digest:
        is_of_groups = said.kind in (Kind.NEW_GROUP, Kind.REOPENED)
        path = reverse("admin:events_failures" if is_of_groups else "admin:events_handlers")
    elif said.fingerprint:
        path = reverse("admin:events_failure", args=[said.fingerprint])
    else:
        query = {"handler": said.handler} if said.handler else {"status": "pending"}
        path = f"{reverse('admin:events_event_changelist')}?{urlencode(query)}"
    return f"{settings.BASE_URL}{path}"
