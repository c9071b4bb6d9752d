"""Performing a run: asking its model, so that every call is paid once and ends in an outcome.

1. What is to be asked is built from what is known now, what it can cost at most is reserved, and
   the call is noted on a row. All that is committed.
2. The model is asked, outside any transaction. What it writes meanwhile can be seen on the run.
3. What the call did cost takes the reservation's place, the action makes something of the answer,
   and the run ends: in one transaction.

Tries are the engine's; how many there are is decided here, and what they wait for, in
`channels.autopilot.recording`.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.autopilot import client
from channels.autopilot.actions import ACTIONS, Prompt
from channels.autopilot.budgets import Bill, reserve
from channels.autopilot.calls import (
    INTERRUPTED,
    close_lost_calls,
    is_used_up,
    note_call,
)
from channels.autopilot.circuits import ask_circuit, tell_circuit
from channels.autopilot.completions import Completion
from channels.autopilot.endpoints import (
    client_of,
    endpoint_for,
    keep_endpoint,
    model_of,
    note_answer,
    prices_of,
    settings_of,
)
from channels.autopilot.models import ActionType, Endpoint, Run
from channels.autopilot.outcomes import AiError, Ended, Outcome
from channels.autopilot.recording import (
    Asking,
    End,
    end_broken,
    end_run,
    record_answer,
    record_refusal,
    tell_endpoint,
)
from channels.autopilot.runs import is_repeatable, lock_run, reopen_run
from events import Permanent, Postpone
from salesflow.accounts.context import current_tenant

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Seconds after which somebody looks whether a stopped endpoint may be asked again.
LOOK_AGAIN = 60.0
# Seconds between two looks that people can take at an unfinished answer.
PULSE = 0.5
# Seconds for which an answer is tried to be written down, and between two tries.
PERSISTENCE, PAUSE = 20.0, 0.5


def perform_run(run_id: UUID) -> None:
    """Ask a run's model, unless the run has ended; one that ended in a fault is performed anew.

    Raises:
        Postpone: its endpoint is not to be asked now, and nothing was tried.
        Retry: another try is to be made, after so many seconds.
        Permanent: it ended in a fault, which the run names, too.
    """
    asking = _begin(run_id)
    if asking is None:
        return
    # What ends neither way was interrupted: its time was over.
    error: Exception | None = AiError(Outcome.TIMEOUT, INTERRUPTED)
    try:
        completion = _ask(asking)
    except AiError as refusal:
        error = refusal
        follows = _persistently(partial(record_refusal, asking, refusal))
        tell_endpoint(asking.endpoint, refusal)
    else:
        error = None
        follows = _persistently(partial(record_answer, asking, completion))
        note_answer(asking.endpoint, completion.takes)
    finally:
        tell_circuit(asking.endpoint, asking.call, error)
    if follows:
        raise follows


# --- Before the call ------------------------------------------------------------------------------


def _begin(run_id: UUID) -> Asking | None:
    """The call, noted; None when there is nothing left to ask."""
    with transaction.atomic():
        run = lock_run(run_id)
        step = _next_step(run) if run else None
    if isinstance(step, Exception):
        raise step
    return step


def _next_step(run: Run) -> Asking | Exception | None:
    """What is to be done about a run: the call, nothing, or what is to be raised.

    What it writes is committed before that is raised.
    """
    if is_repeatable(run):
        reopen_run(run)
    if run.state == Run.State.FINISHED:
        return None
    close_lost_calls(run)
    if is_used_up(run):
        return end_run(run, End(Outcome.FAILED, INTERRUPTED, Permanent(INTERRUPTED)))
    is_check = run.action == ActionType.CHECK
    endpoint = run.endpoint if is_check else endpoint_for(current_tenant())
    if endpoint is None:
        return end_run(run, End(Outcome.OFF, _("No model is connected.")))
    if endpoint.stopped_at and not is_check:
        reason = _("The endpoint is stopped: {reason}")
        return Postpone(LOOK_AGAIN, format_lazy(reason, reason=endpoint.stopped_reason))
    keep_endpoint(endpoint)
    run.endpoint, run.model = endpoint, model_of(endpoint)
    prompt = _built(run)
    return end_run(run, prompt) if isinstance(prompt, End) else _noted(run, endpoint, prompt)


def _built(run: Run) -> Prompt | End:
    """The prompt; or in what the run ends without one."""
    action = ACTIONS.get(ActionType(run.action))
    if action is None:
        reason = _("Nobody knows any more how this is done.")
        return End(Outcome.FAILED, reason, Permanent(reason))
    try:
        with transaction.atomic():
            return action.build(run)
    except Ended as ended:
        return End(ended.outcome, ended.reason)
    except (OperationalError, InterfaceError):
        raise
    except Exception as fault:  # an action may raise anything
        return end_broken(fault)


def _noted(run: Run, endpoint: Endpoint, prompt: Prompt) -> Asking | Exception | None:
    """The call, with what it can cost put aside, if the budget allows it."""
    try:
        server = client_of(endpoint)
    except AiError as error:
        tell_endpoint(endpoint, error)
        return end_run(run, End(error.outcome, error.reason, Permanent(error.reason)))
    now = timezone.now()
    most = client.most_usage(prompt.messages, prompt.max_tokens, prompt.schema)
    prices = prices_of(endpoint, now, prompt_tokens=most.prompt_tokens)
    bill = Bill(model_of(endpoint), most, prices)
    _take_prompt(run, prompt)
    reservation = reserve(current_tenant(), bill.cost, now)
    if reservation is None:
        return end_run(run, End(Outcome.BUDGET, _("The budget of the day does not allow it.")))
    run.state, run.started_at = Run.State.RUNNING, run.started_at or now
    run.save()
    call = note_call(run, reservation, bill, now)
    if run.action != ActionType.CHECK:
        # Where it says no, nothing of all this has been.
        ask_circuit(endpoint, call)
    return Asking(run, call, endpoint, server, prompt, reservation)


def _take_prompt(run: Run, prompt: Prompt) -> None:
    run.prompt_name, run.prompt_version = prompt.name, prompt.version
    run.messages = list(prompt.messages)
    run.output = run.error = ""


# --- The call -------------------------------------------------------------------------------------


def _ask(asking: Asking) -> Completion:
    """The model's answer.

    Raises:
        AiError: there is none.
    """
    prompt = asking.prompt
    return client.complete(
        asking.server,
        prompt.messages,
        schema=prompt.schema,
        max_tokens=prompt.max_tokens,
        deadline=settings_of(asking.endpoint).deadline,
        on_text=Pulse(asking.run.pk),
    )


class Pulse:
    """Shows an answer on its run while it comes."""

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        self.text = ""
        self.shown_at = time.monotonic()

    def __call__(self, piece: str) -> None:
        """Take a piece of the text, and show all of it now and then."""
        self.text += piece
        if time.monotonic() - self.shown_at < PULSE:
            return
        self.shown_at = time.monotonic()
        rows = Run.objects.filter(pk=self.run_id, state=Run.State.RUNNING)
        # It is but a look: no answer is given up because the database is away.
        try:
            rows.update(output=self.text)
        except DatabaseError:
            if connection.in_atomic_block:
                raise
            connection.close()


def _persistently(record: Callable[[], T]) -> T:
    """Write down what came of a call even if the database was away for a while: it is paid for."""
    give_up_at = time.monotonic() + PERSISTENCE
    while True:
        try:
            return record()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() > give_up_at:
                raise
            log.warning("answer_not_recorded_yet", error=str(error).strip())
            connection.close()
            time.sleep(PAUSE)
