"""Pausing handlers: nobody calls them, what they should do waits, and nothing is lost.

An external handler's deliveries stay due, and no worker leases them. A database handler's delivery
is parked by the batch that would have run it: pending, and not tried before `UNTIL_RESUMED`. (One
that waits for the event before it has no time for its next attempt at all, see `events.ordering`.)
What is parked at a handler that nobody has paused, the sweeper makes due again. It asks the rows
alone, never who resumed what when: a batch that read a pause just before it ended strands nothing.

A call that has begun when its handler is paused comes to its end.
"""

import time

import structlog
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from events import audit, registry
from events.models import Delivery, HandlerPause
from events.models.delivery import UNTIL_RESUMED
from events.nudging import nudge_events, nudge_external
from events.rows import execute, fetch_rows
from salesflow.accounts.models import User

log = structlog.get_logger(__name__)

# Kept on record in English, shown in the reader's language.
WAITS = gettext_noop("waits until its handler is resumed")
# Deliveries of a handler that become due in one statement, and seconds that a sweep spends on them.
CHUNK, TURN = 1000, 1.0

PAUSED = "SELECT handler FROM handler_pauses"

# Steps through deliveries_paused from handler to handler. The events are locked first, as by all
# who write deliveries; those that a worker holds are left to the next look.
LET_GO = f"""
    WITH RECURSIVE parked AS (
        (SELECT handler FROM deliveries
         WHERE status = 'pending' AND next_attempt_at = '{UNTIL_RESUMED}' ORDER BY handler LIMIT 1)
        UNION ALL
        SELECT next.handler FROM parked, LATERAL (
            SELECT handler FROM deliveries
            WHERE status = 'pending' AND next_attempt_at = '{UNTIL_RESUMED}'
              AND handler > parked.handler
            ORDER BY handler LIMIT 1
        ) AS next
    ), free AS MATERIALIZED (
        SELECT handler FROM parked WHERE handler NOT IN (SELECT handler FROM handler_pauses)
    ), chosen AS (
        SELECT first.event_id FROM free, LATERAL (
            SELECT event_id FROM deliveries
            WHERE status = 'pending' AND next_attempt_at = '{UNTIL_RESUMED}'
              AND handler = free.handler
            ORDER BY event_id LIMIT %(chunk)s
        ) AS first
    ), held AS MATERIALIZED (
        SELECT id FROM events WHERE id IN (SELECT event_id FROM chosen) AND status = 'pending'
        FOR NO KEY UPDATE SKIP LOCKED
    ), due AS (
        UPDATE deliveries SET next_attempt_at = statement_timestamp()
        FROM held WHERE event_id = held.id AND deliveries.status = 'pending'
          AND next_attempt_at = '{UNTIL_RESUMED}' AND handler IN (SELECT handler FROM free)
    )
    UPDATE events SET due_at = statement_timestamp() FROM held WHERE events.id = held.id
"""  # noqa: S608 (a constant)


class UnknownHandler(LookupError):
    """No installed app has a handler of that name."""


def pause_handler(name: str, *, actor: User | None, reason: str) -> bool:
    """Have a handler called no more until somebody resumes it.

    Returns:
        False where somebody has paused it already; their reason stands.

    Raises:
        UnknownHandler: no installed app declares it.
        ValueError: no reason is given.
    """
    if registry.get_handler(name) is None:
        raise UnknownHandler(_("There is no handler “%(name)s”.") % {"name": name})
    if not reason.strip():
        raise ValueError(_("Give a reason."))
    with transaction.atomic():
        pause = HandlerPause(handler=name, actor=actor, reason=reason.strip())
        paused = _insert(pause)
        if paused:
            audit.record(
                "handler.paused", ("handler", name), actor=actor, tenant=None, reason=pause.reason
            )
    if paused:
        log.warning("handler_paused", handler=name, reason=pause.reason)
    return paused


def _insert(pause: HandlerPause) -> bool:
    values = {"handler": pause.handler, "reason": pause.reason, "actor": pause.actor_id}
    statement = """
        INSERT INTO handler_pauses (handler, reason, actor_id)
        VALUES (%(handler)s, %(reason)s, %(actor)s) ON CONFLICT DO NOTHING
    """
    return execute(statement, values) == 1


def resume_handler(name: str, *, actor: User | None, reason: str = "") -> bool:
    """Have a handler called again, for what has waited too, which the sweeper lets go.

    Returns:
        False where it was not paused, or somebody else was quicker.
    """
    with transaction.atomic():
        deleted, _by_model = HandlerPause.objects.filter(handler=name).delete()
        if deleted:
            audit.record(
                "handler.resumed", ("handler", name), actor=actor, tenant=None, reason=reason
            )
            transaction.on_commit(nudge_external)
    if deleted:
        log.warning("handler_resumed", handler=name)
    return bool(deleted)


def paused_handlers() -> frozenset[str]:
    """The names of the handlers that are paused now."""
    return frozenset(name for (name,) in fetch_rows(PAUSED, {}))


def park(delivery: Delivery) -> None:
    """Have a delivery wait until its handler is resumed; an error that it had stays readable."""
    delivery.next_attempt_at = UNTIL_RESUMED
    if not delivery.failures:
        delivery.error = WAITS


def let_go() -> int:
    """Make due what waits for handlers that nobody has paused; returns how many events.

    Beyond what fits into a second it is left to the next sweep.
    """
    give_way_at, total = time.monotonic() + TURN, 0
    while released := execute(LET_GO, {"chunk": CHUNK}):
        total += released
        nudge_events(released)
        if time.monotonic() > give_way_at:
            break
    return total
