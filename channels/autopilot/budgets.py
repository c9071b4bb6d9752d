"""Budgets: what a tenant may spend in a day of its time zone, and what it has.

Before a call the most that it can cost is reserved, in one statement that refuses what does not
fit: however many workers ask at once, they cannot overrun the limit together. When the call has
ended, what it did cost takes the reservation's place.

A day's limit is that of the day before, until somebody sets another one. Calls for which nobody
knows a price cost nothing here, and no budget stops them; the pages say so.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.autopilot.completions import Usage
from channels.autopilot.models import Budget, Expense
from channels.autopilot.prices import Prices, cost
from events.audit import record
from salesflow.accounts.models import Tenant, User

# From this share of a day's limit on, people are told.
NEAR = Decimal("0.8")
HIGHEST = Decimal(100_000)
# Digits after the point of a limit, as people enter it.
LIMIT_PLACES = 2
ADD_EXPENSE = """
    INSERT INTO autopilot_expense AS expense (
        tenant_id, day, action, model, calls, prompt_tokens, cached_tokens, completion_tokens,
        estimated_calls, unpriced_calls, cost
    ) VALUES (
        %(tenant)s, %(day)s, %(action)s, %(model)s, 1, %(prompt)s, %(cached)s, %(completion)s,
        %(estimated)s, %(unpriced)s, %(cost)s
    )
    ON CONFLICT (tenant_id, day, action, model) DO UPDATE SET
        calls = expense.calls + 1,
        prompt_tokens = expense.prompt_tokens + excluded.prompt_tokens,
        cached_tokens = expense.cached_tokens + excluded.cached_tokens,
        completion_tokens = expense.completion_tokens + excluded.completion_tokens,
        estimated_calls = expense.estimated_calls + excluded.estimated_calls,
        unpriced_calls = expense.unpriced_calls + excluded.unpriced_calls,
        cost = expense.cost + excluded.cost
"""


@dataclass(frozen=True)
class Standing:
    """How much of a day's budget is left; US dollars.

    Attributes:
        reserved: for calls that are under way.
    """

    day: date
    limit: Decimal
    spent: Decimal
    reserved: Decimal

    @property
    def left(self) -> Decimal:
        """What may still be spent."""
        return max(Decimal(0), self.limit - self.spent - self.reserved)

    @property
    def share(self) -> Decimal:
        """How much of the limit is used, 1 being all of it."""
        used = self.spent + self.reserved
        return min(Decimal(1), used / self.limit) if self.limit else Decimal(1)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return not self.left

    @property
    def is_near(self) -> bool:
        """Whether most of it is used, and some is left."""
        return self.share >= NEAR and not self.is_over


@dataclass(frozen=True)
class Reservation:
    """What was put aside for a call."""

    budget: Budget
    amount: Decimal


@dataclass(frozen=True)
class Bill:
    """What a call has used, and what that costs.

    Attributes:
        model: as it was asked for.
    """

    model: str
    usage: Usage
    prices: Prices

    @property
    def cost(self) -> Decimal:
        """US dollars, to the last digit."""
        return cost(self.usage, self.prices)


def reserve(tenant: Tenant, amount: Decimal, at: datetime) -> Reservation | None:
    """Put aside what a call can cost at most; None: the day's budget does not allow it.

    Its row is locked until the transaction ends: ask for it last.
    """
    budget = _budget_of(day_of(tenant, at))
    fitting = Budget.objects.filter(pk=budget.pk, limit__gte=F("spent") + F("reserved") + amount)
    taken = fitting.update(reserved=F("reserved") + amount)
    return Reservation(budget, amount) if taken else None


def settle(reservation: Reservation, action: str, bill: Bill) -> None:
    """Book what a call did cost, where its reservation was.

    Its rows are locked until the transaction ends: call it last.
    """
    budget, usage = reservation.budget, bill.usage
    Budget.objects.filter(pk=budget.pk).update(
        reserved=F("reserved") - reservation.amount, spent=F("spent") + bill.cost
    )
    booked: dict[str, Any] = {
        "tenant": budget.tenant_id,
        "day": budget.day,
        "action": action,
        "model": bill.model,
        "prompt": usage.prompt_tokens,
        "cached": usage.cached_tokens,
        "completion": usage.completion_tokens,
        "estimated": int(usage.is_estimated),
        "unpriced": int(not bill.prices.is_known),
        "cost": bill.cost,
    }
    with connection.cursor() as cursor:
        cursor.execute(ADD_EXPENSE, booked)


def day_of(tenant: Tenant, at: datetime) -> date:
    """The day that it is for a tenant."""
    return at.astimezone(ZoneInfo(tenant.time_zone)).date()


def standing(tenant: Tenant, at: datetime | None = None) -> Standing:
    """How much of today's budget is left; it writes nothing."""
    day = day_of(tenant, at or timezone.now())
    last = _last_until(day)
    if last and last.day == day:
        return Standing(day, last.limit, last.spent, last.reserved)
    return Standing(day, last.limit if last else default_limit(), _spent_on(day), Decimal(0))


@transaction.atomic
def set_limit(tenant: Tenant, limit: Decimal, *, actor: User | None = None) -> None:
    """Let so many US dollars be spent a day, from today on.

    Raises:
        ValidationError: under "limit": that is no amount.
    """
    if not limit.is_finite() or not 0 <= limit <= HIGHEST:
        raise ValidationError({"limit": _("Enter an amount from 0 to 100,000 dollars.")})
    budget = _budget_of(day_of(tenant, timezone.now()))
    before, limit = budget.limit, round(limit, LIMIT_PLACES)
    Budget.objects.filter(pk=budget.pk).update(limit=limit)
    if actor:
        told = {"before": f"{before:f}", "after": f"{limit:f}"}
        record("autopilot.budget_set", tenant, actor=actor, tenant=tenant, details=told)


def default_limit() -> Decimal:
    """What a tenant may spend a day before anybody has said so."""
    return Decimal(str(settings.AI_DAILY_BUDGET))


def _budget_of(day: date) -> Budget:
    """The current tenant's row of a day, made with the limit of the last day before it, and with
    what is booked for the day already."""
    last = _last_until(day)
    if last and last.day == day:
        return last
    limit = last.limit if last else default_limit()
    budget: Budget
    given = {"limit": limit, "spent": _spent_on(day)}
    budget, _is_new = Budget.objects.get_or_create(day=day, defaults=given)
    return budget


def _spent_on(day: date) -> Decimal:
    """What a day's expenses come to: its budget says the same, once there is one."""
    spent: Decimal | None = Expense.objects.filter(day=day).aggregate(sum=Sum("cost"))["sum"]
    return spent or Decimal(0)


def _last_until(day: date) -> Budget | None:
    budget: Budget | None = Budget.objects.filter(day__lte=day).order_by("-day").first()
    return budget
