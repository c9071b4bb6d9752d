"""Digests: what a rule finds beyond so many alerts within an hour is told together.

A deployment that breaks forty handlers at thirty tenants would else send more mails than anybody
reads, and have the mail server refuse those that matter. What is held back is written down like all
alerts, but for its event; a digest is the event of all of them.
"""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Now

from events.alerts.payloads import AlertRaised
from events.models import Alert, AlertRule
from events.publishing import publish
from salesflow.accounts.context import tenant_context

# Of a rule within an hour, each in a message of its own.
MOST_ALONE = 20
AN_HOUR = Value(timedelta(hours=1))
# What is new at once is found within less: a digest that did not wait would tell of half of it.
COLLECTED = Value(timedelta(minutes=5))


def has_told_enough(rule_id: UUID) -> bool:
    """Whether the next alert of a rule waits for a digest; the caller holds the rule."""
    told = Alert.objects.filter(rule_id=rule_id, raised_at__gt=Now() - AN_HOUR)
    messages = told.filter(event_id__isnull=False).values("event_id").distinct()
    return messages.count() >= MOST_ALONE


def tell_together() -> int:
    """Publish the digests that are due, one an hour of each rule at most; returns how many."""
    ids = list(_due().values_list("pk", flat=True))
    return sum(_tell(rule_id) for rule_id in ids)


def _due() -> QuerySet[AlertRule]:
    held = Alert.objects.filter(
        rule=OuterRef("pk"), event_id__isnull=True, raised_at__lt=Now() - COLLECTED
    )
    is_over = Q(digested_at=None) | Q(digested_at__lt=Now() - AN_HOUR)
    return AlertRule.objects.filter(is_over, Exists(held), is_active=True)


@transaction.atomic
def _tell(rule_id: UUID) -> bool:
    """Publish the digest of a rule, unless another sweeper just has."""
    rule = _due().filter(pk=rule_id).select_for_update(no_key=True).first()
    held = Alert.objects.filter(rule_id=rule_id, event_id__isnull=True)
    first = held.select_related("tenant").order_by("id").first()
    if rule is None or first is None:
        return False
    with tenant_context(first.tenant):
        event = publish(AlertRaised(kind=rule.kind, is_digest=True), source="alerts")
    held.update(event_id=event.pk)
    AlertRule.objects.filter(pk=rule.pk).update(digested_at=Now())
    return True
