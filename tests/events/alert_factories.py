"""Makers of what alerts are about."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from events.models import AlertRule, FailureGroup, Tally
from salesflow.accounts.models import Tenant


def make_rule(kind: str = "new_group", **fields: Any) -> AlertRule:
    """An active rule that tells ops@example.com; it was made an hour ago."""
    given = {"name": f"rule {kind}", "emails": ["ops@example.com"], **fields}
    rule: AlertRule = AlertRule.objects.create(kind=kind, **given)
    AlertRule.objects.filter(pk=rule.pk).update(created_at=timezone.now() - timedelta(hours=1))
    return rule


def make_group(
    tenant: Tenant, *, fingerprint: UUID | None = None, seen: datetime | None = None, **fields: Any
) -> FailureGroup:
    """A failure that a handler has had since `seen`, by default since now."""
    moment = seen or timezone.now()
    given: dict[str, Any] = {
        "handler": "send_mail",
        "error_type": "TimeoutError",
        "message": "no answer within … s",
        "occurrences": 3,
        "first_seen_at": moment,
        "last_seen_at": moment,
        **fields,
    }
    group: FailureGroup = FailureGroup.unscoped.create(
        tenant=tenant, fingerprint=fingerprint or uuid4(), **given
    )
    return group


def make_tally(tenant: Tenant, handler: str = "send_mail", **counts: int) -> None:
    """What a handler did in this minute."""
    Tally.objects.create(
        span="minute",
        starts_at=timezone.now().replace(second=0, microsecond=0),
        kind="handler",
        name=handler,
        tenant=tenant,
        **counts,
    )
