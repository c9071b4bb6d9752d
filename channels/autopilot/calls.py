"""The rows of calls: noted before a call is made, closed when it has ended, and paid once.

A call is noted with the most that it can use. Who finds one that has not ended (a worker that died
meanwhile) cannot know what it used: it is closed as it was noted, and what was reserved is spent.
"""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Max
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.autopilot.budgets import Bill, Reservation, settle
from channels.autopilot.completions import Usage
from channels.autopilot.endpoints import read_prices, stored_prices
from channels.autopilot.models import ActionType, Call, Run
from channels.autopilot.outcomes import Outcome

INTERRUPTED = _("The worker was interrupted while the model was asked.")
# Calls of a run in all, and those of them that have to be paid.
MOST_CALLS, MOST_PAID = 4, 2


class Tries(NamedTuple):
    """How often a run's model was asked since it was requested or replayed."""

    calls: int
    paid: int


def note_call(run: Run, reservation: Reservation, most: Bill, at: datetime) -> Call:
    """Note that a call is about to be made.

    Args:
        most: what it can come to.
    """
    last = run.calls.aggregate(last=Max("number"))["last"] or 0
    call = Call(
        run=run,
        number=last + 1,
        started_at=at,
        budget=reservation.budget,
        reserved=reservation.amount,
    )
    _take(call, most)
    call.save()
    return call


def close_call(run: Run, call: Call, bill: Bill, outcome: str, reason: str | Promise) -> bool:
    """Write down what came of a call; whether nobody had taken it for lost. The run is locked."""
    if not run.calls.filter(pk=call.pk, finished_at=None).exists():
        return False
    _take(call, bill)
    call.cost, call.outcome, call.error = bill.cost, outcome, str(reason)
    call.finished_at = timezone.now()
    call.save()
    return True


def close_lost_calls(run: Run) -> int:
    """End the calls of a run whose workers are gone; returns how many there were.

    The run is locked, and nobody else asks for it.
    """
    lost = list(run.calls.filter(finished_at=None).select_related("budget"))
    for call in lost:
        bill = _as_noted(run, call)
        close_call(run, call, bill, Outcome.FAILED, INTERRUPTED)
        if call.budget:
            settle(Reservation(call.budget, call.reserved), run.action, bill)
    return len(lost)


def tries_of(run: Run) -> Tries:
    """How often it was tried; what was done before a replay does not count."""
    calls = run.calls.filter(number__gt=run.earlier_calls)
    return Tries(calls.count(), calls.filter(prompt_tokens__gt=0).count())


def is_used_up(run: Run) -> bool:
    """Whether a run has been tried as often as it may be.

    What costs nothing is tried again more often than what has to be paid; and nobody waits for a
    second try who only wants to know whether an endpoint works.
    """
    tries = tries_of(run)
    most = 1 if run.action == ActionType.CHECK else MOST_CALLS
    return tries.calls >= most or tries.paid >= MOST_PAID


def _take(call: Call, bill: Bill) -> None:
    usage = bill.usage
    call.prompt_tokens, call.cached_tokens = usage.prompt_tokens, usage.cached_tokens
    call.completion_tokens, call.is_estimated = usage.completion_tokens, usage.is_estimated
    call.prices = stored_prices(bill.prices)


def _as_noted(run: Run, call: Call) -> Bill:
    usage = Usage(call.prompt_tokens, call.cached_tokens, call.completion_tokens, 0, True)
    return Bill(run.model, usage, read_prices(call.prices))
