"""What the rules find: asked by every sweep, in one statement a kind, by the database's clock.

What is told is written down in the transaction that publishes the alert, which holds its rule: a
crash neither loses an alert nor tells it twice, and two sweepers at once are one.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from events.alerts.digests import AN_HOUR, has_told_enough, tell_together
from events.alerts.payloads import AlertRaised
from events.models import Alert, AlertRule
from events.models.tally import EVERYBODY
from events.publishing import publish
from events.rows import execute, fetch_rows
from events.taking import WAITING
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import first_uuid7_of
from salesflow.accounts.models import Tenant

# At most so many alerts of a kind come from one sweep: where hundreds of failures are new at once,
# the next sweep goes on.
MOST = 100
# Seconds between two looks at rates and ages, which read more than the newest groups.
PAUSE = 15.0
KEPT = timedelta(days=90)

# A failure at several tenants is one for a rule of all tenants. Reads failure_groups_new and
# failure_groups_reopened: only the last day's, however many groups there are. Told is what was told
# since it happened; what was told within the hour waits for its end.
GROUPS = """
    SELECT DISTINCT ON (rule.id, failing.fingerprint)
           rule.id, failing.tenant_id,
           failing.fingerprint, failing.handler, failing.error_type, failing.message
    FROM alert_rules AS rule JOIN failure_groups AS failing
      ON rule.tenant_id IS NULL OR rule.tenant_id = failing.tenant_id
    WHERE rule.is_active AND rule.kind = %(kind)s AND failing.{moment} > rule.created_at
      AND failing.{moment} > statement_timestamp() - interval '1 day'
      AND failing.state = 'open' AND NOT EXISTS (
        SELECT FROM alerts
        WHERE alerts.rule_id = rule.id AND alerts.key = failing.fingerprint::text
          AND alerts.raised_at
              > least(failing.{moment}, statement_timestamp() - interval '1 hour')
      ){news}
    ORDER BY rule.id, failing.fingerprint, failing.{moment} LIMIT %(most)s
"""
# To who watches all tenants, what one tenant has had before is not new at the next one.
NEW_ANYWHERE = """ AND NOT EXISTS (
        SELECT FROM failure_groups AS earlier
        WHERE rule.tenant_id IS NULL AND earlier.fingerprint = failing.fingerprint
          AND earlier.first_seen_at < failing.first_seen_at
      )"""
# Attempts that failed, those that will be made again included: so it tells at once, and not only
# when the last try was in vain.
RATES = """
    SELECT rule.id, rule.kind,
           (array_agg(tally.tenant_id ORDER BY tally.failed + tally.retried DESC))[1], tally.name,
           100.0 * sum(tally.failed + tally.retried)
             / sum(tally.succeeded + tally.failed + tally.retried), rule.threshold
    FROM alert_rules AS rule JOIN tallies AS tally
      ON rule.tenant_id IS NULL OR rule.tenant_id = tally.tenant_id
    WHERE rule.is_active AND rule.kind = 'failure_rate' AND tally.span = 'minute'
      -- Not what all tenants come to together.
      AND tally.tenant_id <> %(everybody)s
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
    SELECT DISTINCT ON (rule.id) rule.id, rule.kind, waiting.tenant_id, '',
           extract(epoch FROM statement_timestamp() - waiting.due_at), rule.threshold
    FROM alert_rules AS rule JOIN waiting
      ON rule.tenant_id IS NULL OR rule.tenant_id = waiting.tenant_id
    WHERE rule.is_active AND rule.kind = 'oldest_pending'
      AND waiting.due_at < statement_timestamp() - rule.threshold * interval '1 second'
    ORDER BY rule.id, waiting.due_at
"""  # noqa: S608 (a constant)

# Until the transaction ends, nobody else tells anything of this rule.
HOLD = "SELECT FROM alert_rules WHERE id = %(rule)s FOR NO KEY UPDATE"


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        key: what it is about: told at most once an hour.
        tenant_id: whose event the alert is.
        value, threshold: what was measured and what is still fine: per cent, or seconds.
    """

    rule_id: UUID
    key: str
    tenant_id: UUID
    payload: AlertRaised
    value: float | None = None
    threshold: float | None = None


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
        tell_together()
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
    for kind, moment, news in (
        (AlertRule.Kind.NEW_GROUP, "first_seen_at", NEW_ANYWHERE),
        (AlertRule.Kind.REOPENED, "reopened_at", ""),
    ):
        statement = GROUPS.format(moment=moment, news=news)
        rows = fetch_rows(statement, {"kind": str(kind), "most": MOST})
        for rule_id, tenant_id, fingerprint, handler, error_type, message in rows:
            payload = AlertRaised(
                kind=kind,
                fingerprint=str(fingerprint),
                handler=handler,
                error=": ".join(filter(None, [error_type, message])),
            )
            yield Finding(rule_id, payload.fingerprint, tenant_id, payload)


def _levels() -> Iterator[Finding]:
    rates = {"fewest": FEWEST_FAILURES, "most": MOST, "everybody": EVERYBODY}
    rows = [*fetch_rows(RATES, rates), *fetch_rows(AGES, {})]
    for rule_id, kind, tenant_id, handler, value, threshold in rows:
        payload = AlertRaised(kind=kind, handler=handler)
        measured = round(float(value), 1), threshold
        yield Finding(rule_id, handler or "pending", tenant_id, payload, *measured)


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
    """Publish the alert, unless the rule is gone or has told of the same within the hour.

    Where the rule has told of much else within that hour, it waits for a digest.
    """
    if not execute(HOLD, {"rule": finding.rule_id}):
        return False
    told = Alert.objects.filter(rule_id=finding.rule_id, key=finding.key)
    if told.filter(raised_at__gt=Now() - AN_HOUR).exists():
        return False
    event_id = None
    if not has_told_enough(finding.rule_id):
        with tenant_context(tenant):
            event_id = publish(finding.payload, source="alerts").pk
    Alert.objects.create(
        rule_id=finding.rule_id,
        key=finding.key,
        tenant=tenant,
        event_id=event_id,
        value=finding.value,
        threshold=finding.threshold,
    )
    return True
