"""What reads service times: how fast messages are stored, answered, sent and delivered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Aggregate, BigIntegerField, Count, F, Q, QuerySet

from analytics.models import ServiceTime
from salesflow.accounts.context import current_tenant

ANSWERED = "answered"
SHARES = (0.5, 0.95)


@dataclass(frozen=True)
class ServiceLevel:
    """How long one step took on one channel.

    Attributes:
        step: "stored" (received → stored), "answered" (received → answered), "sent" (queued →
            sent) or "delivered" (sent → delivered).
        messages: how many were measured.
        p50_ms: half of them took no longer; of `p95_ms`, 95 of 100.
    """

    channel: str
    step: str
    messages: int
    p50_ms: int
    p95_ms: int


class Percentile(Aggregate):
    """The least value that a share of an expression's values does not exceed."""

    function = "PERCENTILE_DISC"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = BigIntegerField()


def service_levels(since: date | None = None, until: date | None = None) -> list[ServiceLevel]:
    """The current tenant's service levels, by channel and step; two queries.

    Args:
        since: the first day on which a step ended, in the tenant's time zone; None for no bound.
        until: the last day.
    """
    rows = _between(since, until)
    steps = _levels(rows.values("channel", "step"), "duration_ms")
    answers = _levels(rows.filter(answer_ms__isnull=False).values("channel"), "answer_ms")
    return sorted([*steps, *answers], key=lambda level: (level.channel, _place(level.step)))


def _between(since: date | None, until: date | None) -> QuerySet[ServiceTime]:
    zone = ZoneInfo(current_tenant().time_zone)
    wanted = Q()
    if since:
        wanted &= Q(occurred_at__gte=datetime.combine(since, time.min, zone))
    if until:
        wanted &= Q(occurred_at__lte=datetime.combine(until, time.max, zone))
    rows: QuerySet[ServiceTime] = ServiceTime.objects.filter(wanted)
    return rows


def _levels(groups: QuerySet[ServiceTime, Any], column: str) -> list[ServiceLevel]:
    p50, p95 = (Percentile(F(column), share=share) for share in SHARES)
    return [
        ServiceLevel(
            channel=group["channel"],
            step=group.get("step", ANSWERED),
            messages=group["messages"],
            p50_ms=group["p50"],
            p95_ms=group["p95"],
        )
        for group in groups.annotate(messages=Count("*"), p50=p50, p95=p95)
    ]


def _place(step: str) -> int:
    order: Sequence[str] = ("stored", ANSWERED, "sent", "delivered")
    return order.index(step)
