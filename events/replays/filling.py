"""Filling plans: the events that are meant are written down and counted, ten thousand at a time.

Each chunk is a transaction of its own. So a plan of a million events goes on after any death where
it was, and keeps nobody waiting: not who cancels it, not another replay, and not the engine.
"""

import time
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.core.exceptions import EmptyResultSet
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from events.journal import limit_transaction
from events.models import Delivery, DeliveryStatus, Event, FailureGroup, Replay, ReplayItem
from events.replays.auditing import note
from events.replays.counting import count_chunk, left_out
from events.replays.meaning import meant
from events.selections import Selection
from salesflow.accounts.queries import visible_rows

log = structlog.get_logger(__name__)

CHUNK = 10_000
# Seconds that one statement of a chunk may take, in a process that has other work.
PATIENCE = 30
# Any number that is ours alone among two-part advisory locks.
FILLING_LOCK = 0x5A1E5F13

FREEZE = """
    WITH frozen AS (
        INSERT INTO replay_items (replay_id, event_id, status, note)
        SELECT %s, selection.id, 'waiting', '' FROM ({}) AS selection ORDER BY selection.position
        RETURNING id, event_id
    )
    SELECT count(*), min(id), (SELECT event_id FROM frozen ORDER BY event_id DESC LIMIT 1)
    FROM frozen
"""


@dataclass(frozen=True)
class Frozen:
    """Items that were written.

    Attributes:
        first_item: the id of the first of them; None where there are none.
        last_event: the highest of their events' ids.
    """

    number: int = 0
    first_item: int | None = None
    last_event: UUID | None = None


def freeze(replay: Replay, events: QuerySet[Event]) -> Frozen:
    """Write the ids of events as items, in the order of the log."""
    # A selection that is cut off has its own order already.
    chosen = events if events.query.is_sliced else events.order_by()
    try:
        statement, params = chosen.values("id", "position").query.sql_with_params()
    except EmptyResultSet:  # what Django raises where it knows that nothing is selected
        return Frozen()
    with connection.cursor() as cursor:
        cursor.execute(FREEZE.format(statement), [replay.id, *params])
        return Frozen(*cursor.fetchone())


# --- One chunk ----------------------------------------------------------------------------------


def fill(replay: Replay, rows: QuerySet[Event]) -> None:
    """Freeze all of a selection among `rows`, and count it, in the caller's transaction."""
    while fill_chunk(replay, rows):
        pass


def fill_chunk(replay: Replay, rows: QuerySet[Event], size: int = CHUNK) -> bool:
    """Freeze and count the next events of a plan, in the caller's transaction.

    What is published after its first chunk stays out.

    Args:
        size: how many at most.

    Returns:
        Whether there may be more. Nothing stays written of a plan that was cancelled meanwhile.
    """
    selection = Selection.from_json(replay.selection)
    events = selection.events(rows)
    narrowed = meant(replay, selection, events)
    frozen = freeze(replay, _next_of(replay, narrowed)[:size])
    if frozen.first_item is not None:
        replay.handlers = replay.handlers or _handlers_meant(replay, selection)
        count_chunk(replay, frozen.first_item)
    replay.selected += frozen.number
    replay.plan["after"] = str(frozen.last_event)
    has_more = frozen.number == size
    if not has_more:
        replay.plan["left_out"] = left_out(replay, selection, rows)
        _finish(replay)
    return _save(replay) and has_more


def _next_of(replay: Replay, events: QuerySet[Event]) -> QuerySet[Event]:
    """The next events, by their ids: indexes hold these in order."""
    plan = replay.plan
    if "until" not in plan:
        newest = Event.unscoped.order_by("-pk").values_list("pk", flat=True).first()
        plan["until"] = str(newest or UUID(int=0))
    if after := plan.get("after"):
        events = events.filter(pk__gt=after)
    return events.filter(pk__lte=plan["until"]).order_by("pk")


def _handlers_meant(replay: Replay, selection: Selection) -> list[str]:
    """The one handler whose failures a group is, as the frozen events tell it.

    The group's own row might be another tenant's.
    """
    if not selection.group:
        return []
    item = ReplayItem.objects.filter(replay=replay).values("event_id")[:1]
    groups = FailureGroup.unscoped.filter(fingerprint=selection.group).values("pk")
    failed = Delivery.objects.filter(
        status=DeliveryStatus.FAILED, group_id__in=groups, event_id__in=item
    )
    return list(failed.values_list("handler", flat=True)[:1])


def _finish(replay: Replay) -> None:
    for place in ("after", "until"):
        replay.plan.pop(place, None)
    if replay.tenant_id is None and len(replay.plan.get("tenants", {})) == 1:
        [replay.tenant_id] = map(UUID, replay.plan["tenants"])
    replay.status = Replay.Status.PLANNED


def _save(replay: Replay) -> bool:
    """Write the row of a plan that is being made; undo the chunk where it is not any more."""
    planning = Replay.objects.filter(pk=replay.pk, status=Replay.Status.PLANNING)
    names = ("status", "selected", "plan", "handlers", "tenant_id")
    is_saved = bool(planning.update(**{name: getattr(replay, name) for name in names}))
    if not is_saved:
        transaction.set_rollback(True)
    return is_saved


# --- In the background --------------------------------------------------------------------------


def fill_plans(give_way_at: float = float("inf")) -> bool:
    """Go on with what was left to the background, at least a chunk of each.

    Args:
        give_way_at: when to stop, on the monotonic clock.

    Returns:
        Whether something is left.
    """
    waiting = Replay.objects.filter(status=Replay.Status.PLANNING).order_by("id")
    ids = list(waiting.values_list("id", flat=True))
    has_more = [_fill_apart(replay_id, give_way_at) for replay_id in ids]
    return any(has_more)


def _fill_apart(replay_id: UUID, give_way_at: float) -> bool:
    """Go on with one plan; one that cannot be made ends, and keeps none of the others."""
    try:
        while take_chunk(replay_id):
            if time.monotonic() > give_way_at:
                return True
    except (OperationalError, InterfaceError) as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        _give_up(replay_id, error)
    except Exception as error:  # whatever a selection holds that this version cannot read
        _give_up(replay_id, error)
    return False


def take_chunk(replay_id: UUID, size: int = CHUNK) -> bool:
    """Freeze and count one chunk of a plan; returns whether another one may follow at once."""
    with transaction.atomic():
        limit_transaction()
        replay = _hold(replay_id)
        if replay is None:
            return False
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE * 1000}")
        return fill_chunk(replay, rows_of(replay), size)


def _hold(replay_id: UUID) -> Replay | None:
    """The plan, where no other process has it; its row is free for who cancels it."""
    with connection.cursor() as cursor:
        statement = "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))"
        cursor.execute(statement, [FILLING_LOCK, str(replay_id)])
        if not cursor.fetchone()[0]:
            return None
    planning = Replay.objects.filter(pk=replay_id, status=Replay.Status.PLANNING)
    found: Replay | None = planning.select_related("actor", "tenant").first()
    return found


def rows_of(replay: Replay) -> QuerySet[Event]:
    """Among which events a plan that outlives its request finds its own."""
    if replay.tenant_id:
        return Event.unscoped.filter(tenant_id=replay.tenant_id)
    return visible_rows(replay.actor, Event) if replay.actor else Event.unscoped.none()


def _give_up(replay_id: UUID, error: Exception) -> None:
    log.error("replay_cannot_be_planned", replay=str(replay_id), exc_info=error)
    with translation.override("en"):
        text = _("It could not be planned: %(error)s.") % {"error": type(error).__name__}
    planning = Replay.objects.filter(pk=replay_id, status=Replay.Status.PLANNING)
    with transaction.atomic():
        ended = {"status": Replay.Status.CANCELLED, "stopped_because": text, "finished_at": Now()}
        if planning.update(**ended):
            note("cancelled", Replay.objects.get(pk=replay_id), reason=text)
