"""Answers: what came of replayed events is told to their replays in the settling transaction.

Replays' rows are written last and in one order, by workers and releasers alike: nobody who holds
one waits for an event.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from events.models import Delivery, Replay
from events.models.delivery import DeliveryStatus
from events.nudging import after_commit, nudge_replays
from events.replays.judging import CAME_BACK, REFILL
from events.rows import Row, fetch_rows
from events.states import UNFINISHED

# An item has failed when a handler has that the replay ran: what it left out says nothing about it.
ANSWER = f"""
    WITH ended AS (
        SELECT * FROM unnest(%(events)b, %(replays)b) AS ended (event_id, replay_id)
    ), released AS MATERIALIZED (
        SELECT id, replay_id, correction_id, item.event_id, item.event_id AS ran
        FROM replay_items AS item JOIN ended USING (event_id, replay_id)
        WHERE status = 'released' AND correction_id IS NULL
        UNION ALL
        SELECT id, item.replay_id, correction_id, item.event_id, correction_id
        FROM replay_items AS item JOIN ended
          ON correction_id = ended.event_id AND item.replay_id = ended.replay_id
        WHERE status = 'released' AND correction_id IS NOT NULL
    ), judged AS (
        SELECT item.id, count(deliveries.id) > 0 AS failed,
               coalesce(bool_or({CAME_BACK}), false) AS came_back
        FROM released AS item LEFT JOIN deliveries
          ON deliveries.event_id = item.ran AND deliveries.replay_id = item.replay_id
          AND deliveries.status = 'failed'
        GROUP BY item.id
    ), answered AS (
        UPDATE replay_items AS item
        SET status = CASE WHEN judged.failed THEN 'failed' ELSE 'succeeded' END,
            came_back = judged.came_back
        FROM judged WHERE item.id = judged.id AND item.status = 'released'
        RETURNING item.replay_id, item.status
    )
    SELECT replay_id, count(*) FILTER (WHERE status = 'succeeded'),
           count(*) FILTER (WHERE status = 'failed')
    FROM answered GROUP BY replay_id ORDER BY replay_id
"""  # noqa: S608 (a constant)
LOCK_REPLAYS = """
    SELECT id FROM replays WHERE id = ANY(%(ids)b) ORDER BY id FOR NO KEY UPDATE
"""
COUNT = """
    UPDATE replays SET succeeded = replays.succeeded + told.succeeded,
                       failed = replays.failed + told.failed
    FROM unnest(%(ids)b, %(succeeded)s::int[], %(failed)s::int[]) AS told (id, succeeded, failed)
    WHERE replays.id = told.id
    RETURNING replays.status, told.failed > 0 AND stop_percent IS NOT NULL, pace IS NOT NULL,
              selected - released - skipped, released - replays.succeeded - replays.failed
"""


def answer_replays(deliveries: Iterable[Delivery]) -> None:
    """Tell the replays that ran these deliveries what came of them.

    An event has answered a replay when all that the replay runs of it has come to an end, whatever
    other handlers have still to do.

    Args:
        deliveries: all of each of their events.
    """
    replayed = [delivery for delivery in deliveries if delivery.replay_id]
    unfinished = {_place_of(each) for each in replayed if each.status in UNFINISHED}
    if ended := {_place_of(each) for each in replayed} - unfinished:
        _count(_answer(ended))
    if any(map(_has_failed_once, replayed)):
        # Enough for a canary to end.
        after_commit(nudge_replays)


def _place_of(delivery: Delivery) -> tuple[Any, Any]:
    """The event of a delivery, and the replay that runs it."""
    return delivery.event_id, delivery.replay_id


def _has_failed_once(delivery: Delivery) -> bool:
    return delivery.status == DeliveryStatus.PENDING and delivery.failures == 1


def _answer(ended: Iterable[tuple[UUID, UUID]]) -> list[Row]:
    """Write the answers on the items; returns (replay, succeeded, failed) of each replay."""
    events, replays = (list(column) for column in zip(*ended, strict=True))
    return fetch_rows(ANSWER, {"events": events, "replays": replays})


def _count(told: list[Row]) -> None:
    if not told:
        return
    ids: list[UUID]
    ids, succeeded, failed = (list(column) for column in zip(*told, strict=True))
    values: dict[str, Any] = {"ids": ids, "succeeded": succeeded, "failed": failed}
    if len(ids) > 1:
        fetch_rows(LOCK_REPLAYS, values)
    for status, is_suspicious, is_paced, waiting, unanswered in fetch_rows(COUNT, values):
        # Sweeps keep a pace; answers would have it kept in ever smaller steps.
        has_room = waiting > 0 and unanswered <= REFILL and not is_paced
        is_through = waiting <= 0 and unanswered <= 0
        if status == Replay.Status.RUNNING and (is_suspicious or has_room or is_through):
            after_commit(nudge_replays)
