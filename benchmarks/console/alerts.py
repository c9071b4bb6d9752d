"""What else the console shows: alert rules, a paused handler, circuits."""

from benchmarks.console.fates import PAUSED
from benchmarks.console.people import Cast
from benchmarks.database import rows_of
from events.models import AlertRule, Breaker, HandlerPause

ALERTS = """
    INSERT INTO alerts (id, rule_id, key, tenant_id, event_id, raised_at)
    SELECT uuidv7(), rule.id, events.id::text, tenant_id, events.id, created_at
    FROM events CROSS JOIN (SELECT id FROM alert_rules ORDER BY id LIMIT 1) AS rule
    WHERE type = 'alert.raised'
"""


def write_switches(cast: Cast) -> None:
    """Write rules of all tenants and of one, a pause and an open circuit."""
    kinds = AlertRule.Kind.values
    AlertRule.objects.bulk_create(
        AlertRule(
            name=f"Rule {number}",
            kind=kinds[number % len(kinds)],
            threshold=10.0 if number % len(kinds) > 1 else None,
            tenant=None if number < 4 else cast.tenants[number % len(cast.tenants)],
            emails=["ops@example.com"],
        )
        for number in range(12)
    )
    rows_of(ALERTS)
    reason = "The model answers nonsense since the update"
    HandlerPause.objects.create(handler=PAUSED, reason=reason, actor=cast.superuser)
    Breaker.objects.create(key="deliver_message", calls=900, failures=4)
    Breaker.objects.create(key="post_alert", state="open", calls=20, failures=20, openings=1)
