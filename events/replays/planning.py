"""Planning: which events a replay will run is frozen and counted before it runs."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from events import registry
from events.models import Event, EventStatus, Replay
from events.nudging import after_commit, nudge_replays
from events.replays.filling import fill, rows_of
from events.replays.meaning import meant
from events.selections import Selection
from salesflow.accounts.models import Tenant, User

# Selections that are larger are frozen in the background: nobody waits for their page.
MOST_AT_ONCE = 10_000


@transaction.atomic
def plan_replay(
    selection: Selection,
    rows: QuerySet[Event],
    *,
    handlers: Sequence[str] = (),
    include_external: bool = False,
    actor: User | None = None,
    tenant: Tenant | None = None,
    kind: str = Replay.Kind.REPLAY,
    patch: Any = None,
) -> Replay:
    """Freeze a selection and count what it holds; nothing runs before `actions.start`.

    Args:
        selection: which events. Those are meant that a handler has given up, unless a status or
            handlers are named; where it names a handler or a group, that handler alone is to run
            again, unless somebody chooses otherwise.
        rows: what the planner may see.
        handlers: run these again, whatever came of them; by default those that failed.
        include_external: also run handlers that are skipped on replay.
        tenant: whose replay it is; by default the one tenant of its events, if they have one.
        kind: a correction publishes its events anew, with their payloads changed by `patch`; what
            is given up runs nowhere, and `handlers` are those at which it is given up.

    Raises:
        ValidationError: events are to be given up of which none can be.
        ValueError: an unknown handler.
    """
    replay = _draft(
        selection,
        handlers,
        include_external=include_external,
        actor=actor,
        tenant=tenant,
        kind=kind,
        patch=patch,
    )
    fill(replay, rows)
    return replay


@transaction.atomic
def plan_for_page(
    selection: Selection,
    *,
    actor: User | None,
    tenant: Tenant | None = None,
    handlers: Sequence[str] = (),
    kind: str = Replay.Kind.REPLAY,
    patch: Any = None,
) -> Replay:
    """As `plan_replay`; more than a request can wait for is planned in the background.

    Args:
        tenant: among whose events; by default those that the actor may see.

    Raises:
        ValidationError, ValueError: as `plan_replay`.

    Returns:
        The plan, or the replay that is “being planned”.
    """
    replay = _draft(selection, handlers, actor=actor, tenant=tenant, kind=kind, patch=patch)
    rows = rows_of(replay)
    events = meant(replay, selection, selection.events(rows))
    if events.order_by()[: MOST_AT_ONCE + 1].count() > MOST_AT_ONCE:
        after_commit(nudge_replays)
    else:
        fill(replay, rows)
    return replay


def _draft(selection: Selection, handlers: Sequence[str], **given: Any) -> Replay:
    refuse_unknown(handlers)
    gives_up = given["kind"] == Replay.Kind.GIVE_UP
    if gives_up and selection.status == EventStatus.PROCESSED:
        text = _("No handler of a processed event stands as failed.")
        raise ValidationError({"status": text})
    meant_by_filter = [selection.handler] if selection.handler else []
    replay: Replay = Replay.objects.create(
        status=Replay.Status.PLANNING,
        selection=selection.as_json(),
        handlers=list(handlers) or meant_by_filter,
        again=[] if gives_up else list(handlers),
        **given,
    )
    return replay


def refuse_unknown(handlers: Iterable[str]) -> None:
    """Raise ValueError for the first name that no handler has."""
    unknown = [name for name in handlers if registry.get_handler(name) is None]
    if unknown:
        known = ", ".join(handler.name for handler in registry.all_handlers())
        raise ValueError(f"Unknown handler “{unknown[0]}” (handlers: {known}).")
