"""What came of a call: it is paid, its action makes something of the answer, and its run goes on or
ends, in one transaction."""

from dataclasses import dataclass
from typing import NamedTuple

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.autopilot import client
from channels.autopilot.actions import ACTIONS, Prompt
from channels.autopilot.budgets import Bill, Reservation, settle
from channels.autopilot.calls import close_call, is_used_up, tries_of
from channels.autopilot.completions import Completion, Usage
from channels.autopilot.endpoints import (
    model_of,
    note_error,
    prices_of,
    stop_endpoint,
    stored_prices,
)
from channels.autopilot.models import ActionType, Call, Endpoint, Run
from channels.autopilot.outcomes import FAULTS, AiError, Ended, Outcome
from channels.autopilot.runs import finish_run, lock_run
from events import Permanent, Retry

log = structlog.get_logger(__name__)

# Seconds before the second, the third and the fourth try, where the server does not name them.
WAITS = (5.0, 30.0, 120.0)


@dataclass(frozen=True)
class Asking:
    """A call that was noted, and is to be made.

    Attributes:
        server: the endpoint as it is called.
    """

    run: Run
    call: Call
    endpoint: Endpoint
    server: client.Endpoint
    prompt: Prompt
    reservation: Reservation

    def bill(self, usage: Usage) -> Bill:
        """What the call comes to."""
        at = self.call.started_at
        prices = prices_of(self.endpoint, at, prompt_tokens=usage.prompt_tokens)
        return Bill(model_of(self.endpoint), usage, prices)


class End(NamedTuple):
    """In what a run ends.

    Attributes:
        fault: what the engine is told; None: nothing that anybody should look into.
    """

    outcome: Outcome
    reason: str | Promise = ""
    fault: Exception | None = None


@transaction.atomic
def record_answer(asking: Asking, completion: Completion) -> Exception | None:
    """Pay for an answer, and let the action make something of it."""
    bill = asking.bill(completion.usage)
    run = lock_run(asking.run.pk)
    if run is None or not close_call(run, asking.call, bill, "", ""):
        _unheard(run, asking, bill)
        return None
    run.model, run.output = completion.model, completion.text
    run.prices = stored_prices(bill.prices)
    run.first_token_ms, run.latency_ms = completion.first_token_ms, completion.latency_ms
    fault = end_run(run, _applied(run, completion))
    settle(asking.reservation, run.action, bill)
    return fault


@transaction.atomic
def record_refusal(asking: Asking, error: AiError) -> Exception | None:
    """Pay for a call that came to nothing; what is returned tells the engine what follows."""
    bill = asking.bill(error.usage)
    run = lock_run(asking.run.pk)
    if run is None or not close_call(run, asking.call, bill, error.outcome, error.reason):
        _unheard(run, asking, bill)
        return None
    run.output, run.prices = error.text, stored_prices(bill.prices)
    run.latency_ms = _milliseconds(asking.call)
    follows = _after(run, error)
    settle(asking.reservation, run.action, bill)
    return follows


def _after(run: Run, error: AiError) -> Exception | None:
    if error.is_permanent or is_used_up(run):
        is_fault = error.outcome in FAULTS and run.action != ActionType.CHECK
        fault = Permanent(error.reason) if is_fault else None
        return end_run(run, End(error.outcome, error.reason, fault))
    run.state, run.error = Run.State.WAITING, str(error.reason)
    run.save()
    wait = WAITS[tries_of(run).calls - 1] if error.retry_after is None else error.retry_after
    return Retry(wait, error.reason)


def _applied(run: Run, completion: Completion) -> End:
    """What the action makes of the answer; what it wrote before it failed is undone."""
    try:
        with transaction.atomic():
            return End(ACTIONS[ActionType(run.action)].apply(run, completion))
    except Ended as ended:
        return End(ended.outcome, ended.reason)
    except (OperationalError, InterfaceError):
        raise
    except Exception as fault:  # an action may raise anything
        run.result, run.report = {}, {}
        return end_broken(fault)


def _unheard(run: Run | None, asking: Asking, bill: Bill) -> None:
    """Nobody waits for the answer any more: the run was deleted, or its call taken for lost.

    The latter has been paid.
    """
    if run is None:
        settle(asking.reservation, asking.run.action, bill)
    log.warning("answer_came_too_late", run=str(asking.run.pk))


def tell_endpoint(endpoint: Endpoint, error: AiError) -> None:
    """Keep with the endpoint what went wrong there; stop it where nothing will go well."""
    if error.outcome in FAULTS:
        note_error(endpoint, error.reason)
    if error.stops_endpoint:
        stop_endpoint(endpoint, error.reason)


def _milliseconds(call: Call) -> int:
    assert call.finished_at
    return round((call.finished_at - call.started_at).total_seconds() * 1000)


def end_run(run: Run, end: End) -> Exception | None:
    """End a run; returns what the engine is to be told."""
    finish_run(run, end.outcome, end.reason)
    return end.fault


def end_broken(fault: Exception) -> End:
    """An error of our own: the run names it, and the engine keeps where it happened."""
    reason = format_lazy(_("The action broke: {error}"), error=type(fault).__name__)
    permanent = Permanent(reason)
    permanent.__cause__ = fault
    return End(Outcome.FAILED, reason, permanent)
