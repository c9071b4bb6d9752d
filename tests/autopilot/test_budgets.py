"""The day's budget: what does not fit is not asked, however many ask at once."""

import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from pytest_django import Settings

from channels.autopilot.budgets import Bill, day_of, reserve, set_limit, settle, standing
from channels.autopilot.completions import Usage
from channels.autopilot.models import Budget, Expense
from channels.autopilot.prices import NO_PRICES
from events.models import AuditLine
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.autopilot.factories import PRICES
from tests.factories import make_tenant, make_user

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
NEXT_DAY = datetime(2026, 3, 4, 12, tzinfo=UTC)
USAGE = Usage(prompt_tokens=1000, cached_tokens=400, completion_tokens=200)
# (600 · 0.15 + 400 · 0.075 + 200 · 0.6) / 10⁶
COST = Decimal("0.00024")


def limit_of(tenant: Tenant, limit: str, at: datetime = NOON) -> None:
    """Set the limit of a day that is not today."""
    Budget.objects.update_or_create(day=day_of(tenant, at), defaults={"limit": Decimal(limit)})


def test_tenant_begins_with_the_installations_limit(tenant: Tenant, settings: Settings) -> None:
    settings.AI_DAILY_BUDGET = 2.5
    found = standing(tenant, NOON)
    assert (found.limit, found.left, found.share) == (Decimal("2.5"), Decimal("2.5"), Decimal(0))
    assert not Budget.objects.exists()


def test_day_without_a_budget_has_spent_what_is_booked_for_it(tenant: Tenant) -> None:
    Expense.objects.create(day=NOON.date(), action="draft", model="m", calls=1, cost=Decimal("4"))
    assert (standing(tenant, NOON).spent, standing(tenant, NOON).left) == (Decimal(4), Decimal(1))
    # Nor does its first call forget that.
    assert reserve(tenant, Decimal("1.5"), NOON) is None
    assert reserve(tenant, Decimal("0.5"), NOON)
    assert standing(tenant, NOON).spent == Decimal(4)
    assert standing(tenant, NEXT_DAY).spent == 0


def test_what_is_reserved_is_not_left_for_others(tenant: Tenant) -> None:
    limit_of(tenant, "1")
    assert reserve(tenant, Decimal("0.6"), NOON)
    assert reserve(tenant, Decimal("0.400000000001"), NOON) is None
    assert reserve(tenant, Decimal("0.4"), NOON)
    found = standing(tenant, NOON)
    assert (found.reserved, found.left, found.is_over) == (Decimal(1), Decimal(0), True)
    assert reserve(tenant, Decimal("0.000000000001"), NOON) is None


def test_what_is_settled_takes_the_place_of_what_was_reserved(tenant: Tenant) -> None:
    limit_of(tenant, "1")
    reservation = reserve(tenant, Decimal("0.9"), NOON)
    assert reservation
    settle(reservation, "draft", Bill("gpt", USAGE, PRICES))
    found = standing(tenant, NOON)
    assert (found.spent, found.reserved, found.left) == (COST, Decimal(0), 1 - COST)


def test_expenses_are_added_up_by_day_action_and_model(tenant: Tenant) -> None:
    for action, at in (("draft", NOON), ("draft", NOON), ("qualify", NOON), ("draft", NEXT_DAY)):
        reservation = reserve(tenant, Decimal("0.5"), at)
        assert reservation
        settle(reservation, action, Bill("gpt", USAGE, PRICES))
    rows = {(row.day.day, row.action): row for row in Expense.objects.all()}
    assert {key: (row.calls, row.cost) for key, row in rows.items()} == {
        (3, "draft"): (2, 2 * COST),
        (3, "qualify"): (1, COST),
        (4, "draft"): (1, COST),
    }
    twice = rows[3, "draft"]
    assert (twice.prompt_tokens, twice.cached_tokens, twice.completion_tokens) == (2000, 800, 400)
    for budget in Budget.objects.all():
        spent = sum(row.cost for row in rows.values() if row.day == budget.day)
        assert (budget.spent, budget.reserved) == (spent, 0)


def test_what_nobody_told_or_priced_is_counted_as_such(tenant: Tenant) -> None:
    reservation = reserve(tenant, Decimal(0), NOON)
    assert reservation
    estimated = Usage(10, 0, 5, 0, is_estimated=True)
    settle(reservation, "draft", Bill("unheard-of", estimated, NO_PRICES))
    row = Expense.objects.get()
    assert (row.cost, row.estimated_calls, row.unpriced_calls) == (0, 1, 1)


def test_limit_goes_on_until_somebody_sets_another(tenant: Tenant) -> None:
    limit_of(tenant, "7")
    assert standing(tenant, NEXT_DAY).limit == 7
    assert reserve(tenant, Decimal(7), NEXT_DAY)
    assert Budget.objects.get(day=date(2026, 3, 4)).limit == 7
    limit_of(tenant, "1", NEXT_DAY)
    assert standing(tenant, NOON).limit == 7
    assert standing(tenant, datetime(2026, 5, 1, tzinfo=UTC)).limit == 1


def test_limit_is_set_by_a_person_and_written_down(tenant: Tenant) -> None:
    actor = make_user(tenant)
    set_limit(tenant, Decimal("12.5"), actor=actor)
    assert standing(tenant).limit == Decimal("12.5")
    line = AuditLine.objects.get(action="autopilot.budget_set")
    assert (line.actor, line.details["after"]) == (actor, "12.50")


@pytest.mark.parametrize("limit", ["-0.01", "100000.01", "NaN", "Infinity"])
def test_limit_that_is_no_amount_is_refused(tenant: Tenant, limit: str) -> None:
    with pytest.raises(ValidationError) as caught:
        set_limit(tenant, Decimal(limit))
    assert list(caught.value.message_dict) == ["limit"]
    assert not Budget.objects.exists()


def test_nothing_may_be_spent_of_nothing_but_what_costs_nothing(tenant: Tenant) -> None:
    limit_of(tenant, "0")
    assert reserve(tenant, Decimal("0.000000000001"), NOON) is None
    assert reserve(tenant, Decimal(0), NOON)
    assert standing(tenant, NOON).is_over


def test_people_are_told_before_it_is_over(tenant: Tenant) -> None:
    limit_of(tenant, "10")
    assert reserve(tenant, Decimal("7.99"), NOON)
    assert not standing(tenant, NOON).is_near
    assert reserve(tenant, Decimal("0.01"), NOON)
    assert standing(tenant, NOON).is_near
    assert reserve(tenant, Decimal(2), NOON)
    assert (standing(tenant, NOON).is_near, standing(tenant, NOON).is_over) == (False, True)


@pytest.mark.parametrize(
    ("zone", "at", "day"),
    [
        ("Pacific/Auckland", datetime(2026, 3, 3, 10, 59, tzinfo=UTC), date(2026, 3, 3)),
        ("Pacific/Auckland", datetime(2026, 3, 3, 11, 0, tzinfo=UTC), date(2026, 3, 4)),
        ("Pacific/Honolulu", datetime(2026, 3, 4, 9, 59, tzinfo=UTC), date(2026, 3, 3)),
        ("Europe/Berlin", datetime(2026, 3, 28, 23, 30, tzinfo=UTC), date(2026, 3, 29)),
    ],
)
def test_day_is_the_tenants(db: None, zone: str, at: datetime, day: date) -> None:
    assert day_of(Tenant(time_zone=zone), at) == day


def test_day_that_has_ended_is_settled_where_it_began(tenant: Tenant) -> None:
    reservation = reserve(tenant, Decimal("0.5"), NOON)
    assert reservation
    assert reserve(tenant, Decimal("0.5"), NEXT_DAY)
    settle(reservation, "draft", Bill("gpt", USAGE, PRICES))
    assert (standing(tenant, NOON).spent, standing(tenant, NEXT_DAY).spent) == (COST, Decimal(0))


def test_tenants_have_budgets_of_their_own(tenant: Tenant) -> None:
    limit_of(tenant, "1")
    assert reserve(tenant, Decimal(1), NOON)
    other = make_tenant()
    with tenant_context(other):
        limit_of(other, "1")
        assert reserve(other, Decimal(1), NOON)
    assert reserve(tenant, Decimal("0.01"), NOON) is None


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_overrun_it_by_a_digit() -> None:
    tenant = make_tenant()
    with tenant_context(tenant):
        limit_of(tenant, "0.001")
    amount, most = Decimal("0.000300000001"), 3
    barrier, taken = threading.Barrier(8), []

    def work() -> None:
        try:
            with tenant_context(tenant):
                barrier.wait(10)
                for _try in range(5):
                    reservation = reserve(tenant, amount, NOON)
                    if reservation:
                        taken.append(reservation)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with tenant_context(tenant):
        assert len(taken) == most
        assert standing(tenant, NOON).reserved == most * amount
