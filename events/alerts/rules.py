"""What the rules find: asked by every sweep, in one statement a kind, by the database's clock.

What is told is written down under a key of its own, in the transaction that publishes the alert:
a crash neither loses an alert nor tells it twice, and two sweepers at once are one.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from events.alerts.payloads import AlertRaised
from events.models import Alert, AlertRule
from events.publishing import publish
from events.rows import execute, fetch_rows
from events.taking import WAITING
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import first_uuid7_of, uuid7
from salesflow.accounts.models import Tenant

# At most so many alerts of a kind come from one sweep: where hundreds of failures are new at once,
# the first tell enough, and the next sweep goes on.
MOST = 100
# Seconds between two looks at rates and ages, which read more than the newest groups.
PAUSE = 15.0
KEPT = timedelta(days=90)

# The hour as a part of the key: at most one alert per rule, group and hour.
HOUR = """to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24')"""

# A failure at several tenants is one for a rule of all tenants. Reads failure_groups_new and
# failure_groups_reopened: only the last hour's, however many groups there are.
GROUPS = """
    SELECT DISTINCT ON (rule.id, failing.fingerprint)
           rule.id, rule.name, rule.kind, failing.tenant_id,
           failing.fingerprint || ':' || {hour} AS key,
           failing.fingerprint, failing.handler, failing.error_type, failing.message
    FROM alert_rules AS rule JOIN failure_groups AS failing
      ON rule.tenant_id IS NULL OR rule.tenant_id = failing.tenant_id
    WHERE rule.is_active AND rule.kind = %(kind)s AND failing.{moment} > rule.created_at
      AND failing.{moment} > statement_timestamp() - interval '1 hour'
      AND failing.state <> 'muted' AND NOT EXISTS (
        SELECT FROM alerts
        WHERE alerts.rule_id = rule.id AND alerts.key = failing.fingerprint || ':' || {hour}
      )
    ORDER BY rule.id, failing.fingerprint, failing.{moment} LIMIT %(most)s
"""
# Attempts that failed, those that will be made again included: so it tells at once, and not only
# when the last try was in vain.
RATES = """
    SELECT rule.id, rule.name, rule.kind,
           (array_agg(tally.tenant_id ORDER BY tally.failed + tally.retried DESC))[1],
           tally.name || ':' || {hour} AS key, tally.name,
           100.0 * sum(tally.failed + tally.retried)
             / sum(tally.succeeded + tally.failed + tally.retried), rule.threshold
    FROM alert_rules AS rule JOIN tallies AS tally
      ON rule.tenant_id IS NULL OR rule.tenant_id = tally.tenant_id
    WHERE rule.is_active AND rule.kind = 'failure_rate' AND tally.span = 'minute'
      -- Not what all tenants come to together.
      AND tally.tenant_id <> '00000000-0000-0000-0000-000000000000'
      AND tally.starts_at > statement_timestamp() - interval '10 minutes'
      AND tally.kind = 'handler'
    GROUP BY rule.id, tally.name
    HAVING sum(tally.failed + tally.retried) >= %(fewest)s
       AND 100.0 * sum(tally.failed + tally.retried)
         > rule.threshold * sum(tally.succeeded + tally.failed + tally.retried)
    LIMIT %(most)s
"""
# Fewer failed attempts than this say nothing: one alone may be a bad address, not a bad handler.
FEWEST_FAILURES = 3
AGES = f"""
    WITH RECURSIVE {WAITING}
    SELECT DISTINCT ON (rule.id) rule.id, rule.name, rule.kind, waiting.tenant_id,
           'pending:' || {{hour}} AS key, '',
           extract(epoch FROM statement_timestamp() - waiting.due_at), rule.threshold
    FROM alert_rules AS rule JOIN waiting
      ON rule.tenant_id IS NULL OR rule.tenant_id = waiting.tenant_id
    WHERE rule.is_active AND rule.kind = 'oldest_pending'
      AND waiting.due_at < statement_timestamp() - rule.threshold * interval '1 second'
    ORDER BY rule.id, waiting.due_at
"""  # noqa: S608 (a constant)

NOTE = """
    INSERT INTO alerts (id, rule_id, key, tenant_id, event_id)
    SELECT %(id)s, id, %(key)s, %(tenant)s, NULL FROM alert_rules WHERE id = %(rule)s
    ON CONFLICT (rule_id, key) DO NOTHING
"""


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        key: what it is about, and the hour: told once.
        tenant_id: whose event the alert is.
    """

    key: str
    tenant_id: UUID
    payload: AlertRaised


class Pace:
    """When rates and ages were looked at last, in this process."""

    def __init__(self) -> None:
        self._next = float("-inf")

    def is_due(self) -> bool:
        """Whether it is time to look again; then the time until the next look begins."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + PAUSE
        return True


pace = Pace()


def raise_alerts() -> int:
    """Tell of what is new since the last sweep; returns how many alerts that were."""
    raised = _raise_all(_new_groups())
    if pace.is_due():
        raised += raise_alerts_of_levels()
        forget_old_alerts()
    return raised


def raise_alerts_of_levels() -> int:
    """Tell of rates and ages that are beyond their rules' thresholds; returns how many."""
    return _raise_all(_levels())


def forget_old_alerts() -> int:
    """Delete what was told long ago; returns how much."""
    old = Alert.objects.filter(id__lt=first_uuid7_of(timezone.now(), -KEPT))
    deleted, _models = old.delete()
    return deleted


# --- Finding ------------------------------------------------------------------------------------


def _new_groups() -> Iterator[Finding]:
    for kind, moment in (
        (AlertRule.Kind.NEW_GROUP, "first_seen_at"),
        (AlertRule.Kind.REOPENED, "reopened_at"),
    ):
        hour = HOUR.format(moment=f"failing.{moment}")
        values = {"kind": str(kind), "most": MOST}
        rows = fetch_rows(GROUPS.format(moment=moment, hour=hour), values)
        for rule_id, name, kind_, tenant_id, key, fingerprint, handler, error_type, message in rows:
            payload = AlertRaised(
                rule_id=rule_id,
                rule=name,
                kind=kind_,
                fingerprint=str(fingerprint),
                handler=handler,
                error=": ".join(filter(None, [error_type, message])),
            )
            yield Finding(key, tenant_id, payload)


def _levels() -> Iterator[Finding]:
    hour = HOUR.format(moment="statement_timestamp()")
    rates = {"fewest": FEWEST_FAILURES, "most": MOST}
    rows = [*fetch_rows(RATES.format(hour=hour), rates), *fetch_rows(AGES.format(hour=hour), {})]
    for rule_id, name, kind, tenant_id, key, handler, value, threshold in rows:
        payload = AlertRaised(
            rule_id=rule_id,
            rule=name,
            kind=kind,
            handler=handler,
            value=round(float(value), 1),
            threshold=threshold,
        )
        yield Finding(key, tenant_id, payload)


# --- Telling ------------------------------------------------------------------------------------


def _raise_all(findings: Iterable[Finding]) -> int:
    found = list(findings)
    tenants: dict[Any, Tenant] = Tenant.objects.in_bulk({each.tenant_id for each in found})
    return sum(
        _raise(finding, tenants[finding.tenant_id])
        for finding in found
        if finding.tenant_id in tenants
    )


@transaction.atomic
def _raise(finding: Finding, tenant: Tenant) -> bool:
    """Publish the alert, unless somebody has told of it already."""
    alert_id, rule_id = uuid7(), finding.payload.rule_id
    values = {"id": alert_id, "rule": rule_id, "key": finding.key, "tenant": tenant.pk}
    if not execute(NOTE, values):
        return False
    with tenant_context(tenant):
        event = publish(finding.payload, source="alerts")
    Alert.objects.filter(pk=alert_id).update(event_id=event.pk)
    return True
