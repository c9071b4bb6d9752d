"""What models did cost, added up by day, by what they did, and by model. It only reads."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from channels.autopilot.models import ActionType, Expense

# Digits that matter of an amount below a dollar; at least two after the point in any case.
SIGNIFICANT, CENTS = 3, 2


@dataclass
class Sum:
    """What some calls came to.

    Attributes:
        name: what they have in common.
        estimated_calls: those of which nobody told how many tokens they used.
        unpriced_calls: those of which nobody knows what they cost; they count as nothing.
    """

    name: str
    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    estimated_calls: int = 0
    unpriced_calls: int = 0
    cost: Decimal = field(default_factory=Decimal)

    def add(self, expense: Expense) -> None:
        """Count these calls, too."""
        for name in (
            "calls",
            "prompt_tokens",
            "cached_tokens",
            "completion_tokens",
            "estimated_calls",
            "unpriced_calls",
            "cost",
        ):
            setattr(self, name, getattr(self, name) + getattr(expense, name))

    @property
    def shown_cost(self) -> str:
        """The cost for people."""
        return dollars(self.cost)


@dataclass(frozen=True)
class Costs:
    """What was spent in some days.

    Attributes:
        days: each on which something was spent, the last first.
        actions: the dearest first; models likewise.
    """

    total: Sum
    days: list[Sum]
    actions: list[Sum]
    models: list[Sum]


def costs_of(until: date, days: int) -> Costs:
    """What the current tenant has spent in so many days.

    Args:
        until: the last of them.
    """
    since = until - timedelta(days=days - 1)
    rows = Expense.objects.filter(day__gte=since, day__lte=until).order_by("-day", "id")
    expenses = list(rows)
    total = Sum("")
    for expense in expenses:
        total.add(expense)
    return Costs(
        total,
        _added_up(expenses, lambda expense: expense.day.isoformat()),
        _dearest_first(_added_up(expenses, lambda expense: _action_name(expense.action))),
        _dearest_first(_added_up(expenses, lambda expense: expense.model)),
    )


def dollars(amount: Decimal) -> str:
    """An amount for people: cents, and of what is less than that, what matters."""
    places = SIGNIFICANT - 1 - amount.adjusted() if 0 < amount < 1 else CENTS
    return exact_dollars(round(amount, places))


def exact_dollars(amount: Decimal) -> str:
    """An amount to its last digit; at least cents."""
    _sign, _digits, exponent = amount.normalize().as_tuple()
    places = max(CENTS, -int(exponent))
    digits = number_format(amount, places, use_l10n=True, force_grouping=True)
    return _("$%(amount)s") % {"amount": digits}


def _added_up(expenses: Iterable[Expense], name_of: Callable[[Expense], str]) -> list[Sum]:
    sums: dict[str, Sum] = {}
    for expense in expenses:
        name = name_of(expense)
        sums.setdefault(name, Sum(name)).add(expense)
    return list(sums.values())


def _dearest_first(sums: list[Sum]) -> list[Sum]:
    return sorted(sums, key=lambda each: (-each.cost, -each.calls))


def _action_name(action: str) -> str:
    known = action in ActionType.values
    return str(ActionType(action).label) if known else action
