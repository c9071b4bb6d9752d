"""What people do with replays: start, pause, resume, cancel. Of two who try, one is told so."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.db import models, transaction
from django.db.models import F, Value
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from events.models import Event, Replay
from events.nudging import after_commit, nudge_replays
from events.replays.auditing import note
from events.replays.filling import freeze
from events.replays.forgetting import forget_chunk
from events.replays.outlook import chosen_of, handlers_of
from events.replays.planning import refuse_unknown
from events.replays.running import advance
from salesflow.accounts.context import _current_tenant
from salesflow.accounts.models import Tenant, User

Status = Replay.Status
# Per cent of failures at which a canary ends, where nobody says.
STOP_PERCENT = 10
# No more than all can fail: above a hundred per cent nothing would ever stop.
HIGHEST_STOP_PERCENT = 99
# Events per second: more is no limit.
HIGHEST_PACE = 100_000


class TooLate(Exception):
    """The replay is not any more what it was when somebody decided about it."""


class NoReason(ValueError):
    """What stays on record for ever wants a reason."""


class NothingRuns(ValueError):
    """What is given up does not run: nobody can say how."""

    def __init__(self) -> None:
        super().__init__(
            _("Nothing runs when failures are given up: say only why, and at which handlers.")
        )


# --- Starting -----------------------------------------------------------------------------------


def replay_event(
    event_id: UUID | str,
    *,
    reason: str = "",
    handlers: Sequence[str] = (),
    include_external: bool = False,
    actor: User | None = None,
) -> Replay:
    """Replay one event; its handlers run in a worker.

    Args:
        event_id: an event of the current tenant; of any where none is current (a shell).
        reason: why, for the record.
        handlers: run these again, whatever came of them; by default those that failed.
        include_external: also run handlers that are skipped on replay.

    Raises:
        Event.DoesNotExist: no such event, or another tenant's.
        ValueError: an unknown handler.
    """
    tenant = _current_tenant.get()
    events = Event.unscoped.filter(pk=event_id)
    events = events.filter(tenant=tenant) if tenant else events
    if not events.exists():
        raise Event.DoesNotExist(f"There is no event {event_id}.")
    replay = start_replay(
        events,
        reason=reason,
        handlers=handlers,
        include_external=include_external,
        actor=actor,
    )
    advance(replay.id)
    return replay


def start_replay(
    events: models.QuerySet[Event],
    *,
    reason: str,
    handlers: Sequence[str] = (),
    include_external: bool = False,
    actor: User | None = None,
    tenant: Tenant | None = None,
) -> Replay:
    """Freeze a selection of events and replay it in the background; see `replay_event`.

    Args:
        events: the selection; what joins it later stays out.
        tenant: whose replay it is, by default the current tenant's; None spans tenants.

    Raises:
        ValueError: an unknown handler.
    """
    refuse_unknown(handlers)
    with transaction.atomic():
        replay: Replay = Replay.objects.create(
            tenant=tenant or _current_tenant.get(),
            reason=reason,
            actor=actor,
            handlers=list(handlers),
            again=list(handlers),
            include_external=include_external,
            started_at=Now(),
            released_at=_a_second_ago(),
        )
        replay.selected = freeze(replay, events).number
        replay.save(update_fields=["selected"])
        note("started", replay, actor=actor, reason=reason)
        after_commit(nudge_replays)
    return replay


class How(TypedDict, total=False):
    """How a plan is started.

    Attributes:
        has_canary: 1, 10, 100 events first, each step when the one before has answered.
        pace: events per second; None: as fast as the workers can.
        stop_percent: failures among a hundred answers at which it stops by itself; None: goes on
            whatever fails. A canary without one stops at STOP_PERCENT.
        include_external: also run handlers that are skipped on replay.
        handlers: only these of the handlers that the plan names; by default as it was planned.
        again: these also where they have succeeded: their effects happen once more. By default
            those of the chosen handlers for which it was planned so.
    """

    has_canary: bool
    pace: int | None
    stop_percent: int | None
    include_external: bool
    handlers: Sequence[str]
    again: Sequence[str] | None


def start(replay: Replay, *, actor: User | None, reason: str, **how: Unpack[How]) -> None:
    """Run what was planned, or give it up; see `How`.

    Raises:
        NoReason: none is given.
        NothingRuns: what is given up is to run in some way.
        TooLate: somebody else started or cancelled it.
        ValueError: a handler of which the plan says nothing.
    """
    _require(reason, _("Give a reason."))
    given = _as_given(replay, _to_give_up(replay, how) if replay.gives_up else how)
    times = {"started_at": Now(), "released_at": _a_second_ago()}
    with transaction.atomic():
        who = {"actor": actor, "reason": reason}
        _change(replay, [Status.PLANNED], Status.RUNNING, **who, **given, **times)
        note("started", replay, actor=actor, reason=reason)
        after_commit(nudge_replays)


def _to_give_up(replay: Replay, how: How) -> How:
    """Which handlers' failures, alone; what fails elsewhere by then was not decided about."""
    is_limited = how.get("pace") is not None or how.get("stop_percent") is not None
    if is_limited or how.get("has_canary") or how.get("include_external") or how.get("again"):
        raise NothingRuns
    return {"handlers": how.get("handlers") or chosen_of(replay), "again": ()}


def _as_given(replay: Replay, how: How) -> dict[str, Any]:
    """The columns that say how."""
    handlers, again = how.get("handlers", ()), how.get("again")
    given: dict[str, Any] = {
        "has_canary": how.get("has_canary", False),
        "pace": how.get("pace"),
        "stop_percent": how.get("stop_percent"),
        "include_external": how.get("include_external", False),
    }
    if given["has_canary"] and given["stop_percent"] is None:
        given["stop_percent"] = STOP_PERCENT
    if handlers or again is not None:
        given |= _chosen(replay, handlers, again)
    return given


def _chosen(
    replay: Replay, handlers: Sequence[str], again: Sequence[str] | None
) -> dict[str, list[str]]:
    """What runs, as somebody has chosen: nothing that the plan did not show."""
    if again is None:
        again = [name for name in handlers if name in replay.again]
    planned = handlers_of(replay)
    failed = {each.name for each in planned if each.number}
    done = {each.name for each in planned if each.succeeded or each.given_up}
    if unplanned := (set(handlers) - failed - set(again)) | (set(again) - done):
        text = _("The plan would not run the handler “%(name)s”.")
        raise ValueError(text % {"name": min(unplanned)})
    return {"handlers": sorted({*handlers, *again}), "again": list(again)}


# --- While it runs ------------------------------------------------------------------------------


def pause(replay: Replay, *, actor: User | None, reason: str = "") -> None:
    """Release nothing more until somebody resumes it; what was released runs to its end.

    Raises:
        TooLate: it does not run.
    """
    with transaction.atomic():
        _change(replay, [Status.RUNNING], Status.PAUSED)
        note("paused", replay, actor=actor, reason=reason)


def resume(replay: Replay, *, actor: User | None, reason: str = "") -> None:
    """Go on after a pause; after it stopped by itself, too, and then whatever fails.

    Raises:
        NoReason: it had stopped by itself, and none is given.
        TooLate: it was neither paused nor stopped, or its list of events was pruned.
    """
    with transaction.atomic():
        goes_on_anyway = replay.status == Status.STOPPED
        if goes_on_anyway:
            _require(reason, _("Give a reason: it goes on, whatever fails."))
        anew = _without_stop(replay) if goes_on_anyway else {}
        expected = Status.STOPPED if goes_on_anyway else Status.PAUSED
        times = {"finished_at": None, "released_at": _a_second_ago()}
        _change(replay, [expected], Status.RUNNING, **anew, **times)
        note("resumed", replay, actor=actor, reason=reason)
        after_commit(nudge_replays)


def _without_stop(replay: Replay) -> dict[str, Any]:
    """What a replay is that stops no more; why it did stays in the audit."""
    plan = {name: told for name, told in replay.plan.items() if name != "stopped"}
    return {"stop_percent": None, "has_canary": False, "stopped_because": "", "plan": plan}


def cancel(replay: Replay, *, actor: User | None, reason: str = "") -> None:
    """Release nothing more, for ever; what was released runs to its end and is counted.

    Raises:
        TooLate: it has ended already.
    """
    before = [Status.PLANNING, Status.PLANNED, Status.RUNNING, Status.PAUSED, Status.STOPPED]
    with transaction.atomic():
        _change(replay, before, Status.CANCELLED, finished_at=Now())
        note("cancelled", replay, actor=actor, reason=reason)
        if replay.started_at is None and forget_chunk(replay.id):
            after_commit(nudge_replays)


def change_pace(replay: Replay, pace: int | None, *, actor: User | None) -> None:
    """Release faster or slower from now on; None: as fast as the workers can.

    Raises:
        TooLate: it has ended.
    """
    with transaction.atomic():
        before = [Status.RUNNING, Status.PAUSED, Status.STOPPED]
        _change(replay, before, F("status"), pace=pace, released_at=_a_second_ago())
        note("paced", replay, actor=actor, details={"pace": pace})
        after_commit(nudge_replays)


# --- Deciding -----------------------------------------------------------------------------------


def _require(reason: str, otherwise: str) -> None:
    if not reason.strip():
        raise NoReason(otherwise)


def _change(replay: Replay, before: Sequence[str], after: Any, **fields: Any) -> None:
    """Change the status of the row if nobody was faster; `replay` then says what the row says."""
    rows = Replay.objects.filter(pk=replay.pk, status__in=before, pruned_at=None)
    changed = rows.update(status=after, **fields)
    replay.refresh_from_db()
    if not changed:
        raise TooLate(_too_late(replay))


def _too_late(replay: Replay) -> str:
    if replay.status == Status.STOPPED and replay.pruned_at:
        return _("The list of its events was pruned: plan it anew.")
    text = _("Somebody was faster, or it has moved on: the replay is “%(status)s” now.")
    return text % {"status": replay.get_status_display()}


def _a_second_ago() -> Any:
    """From where a pace counts: a second's worth may go at once."""
    return Now() - Value(timedelta(seconds=1))
