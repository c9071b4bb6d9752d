"""What became of what steps have done: a message went out, failed or was taken back, a task is
done. Whoever waited for it goes on, and waits are counted from then.

To be told twice, late or in any order changes nothing: who waits for something else is left alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import LiteralString
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q
from psycopg import sql

from channels.sequences import moving
from channels.sequences.decisions import Delay, Ending
from channels.sequences.enrolling import stop_enrolments
from channels.sequences.holding import hold_waiting, hold_where
from channels.sequences.models import Enrolment, Execution, Waiting
from channels.sequences.quotas import Ledger, account_key, sender_key
from events.rows import execute, fetch_rows
from salesflow.accounts.context import current_tenant

Moments = Mapping[UUID, datetime]
"""Id of a message or a task → when something happened to it."""

# The first time counts. By the index execution_of_message.
NOTE: LiteralString = """
    UPDATE sequences_execution SET {column} = given.at
    FROM unnest(%(ids)b::uuid[], %(at)s::timestamptz[]) AS given (id, at)
    WHERE message_id = given.id AND {column} IS NULL
"""
# Of those that tell it.
NOTE_TRACKED = """
    UPDATE sequences_execution AS execution SET tracked_at = execution.sent_at
    FROM channels_message AS message
    WHERE execution.message_id = ANY(%(ids)b) AND message.id = execution.message_id
      AND message.tracks AND execution.tracked_at IS NULL
"""
# What is known of the addresses to which messages failed.
CLOSED = """
    SELECT message.id, standing.bounced_at IS NOT NULL, standing.opted_out_at IS NOT NULL
    FROM channels_message AS message JOIN channels_addressstanding AS standing
      ON standing.tenant_id = message.tenant_id AND standing.channel = message.channel
     AND standing.address = message.address
    WHERE message.id = ANY(%(ids)b)
"""


def note_moments(column: str, moments: Moments) -> None:
    """Note on executed steps when something happened to their messages.

    Args:
        column: of `Execution`: sent_at, delivered_at, opened_at, clicked_at, failed_at.
    """
    if moments:
        statement = sql.SQL(NOTE).format(column=sql.Identifier(column)).as_bytes()
        execute(statement, {"ids": [*moments], "at": [*moments.values()]})


def let_go_on(settled: Moments) -> int:
    """Let those go on who wait for these messages or tasks; returns how many they were."""
    rows = hold_waiting([*settled])
    for row in rows:
        assert row.waiting_id
        moving.settle(row, settled[row.waiting_id])
    moving.save_enrolments(rows)
    return len(rows)


def note_sent(sent: Moments) -> int:
    """Messages went out."""
    note_moments("sent_at", sent)
    if sent:
        execute(NOTE_TRACKED, {"ids": [*sent]})
    return let_go_on(sent)


def note_failed(failed: Moments) -> int:
    """Messages were given up: nobody is written to who has not got what comes before."""
    note_moments("failed_at", failed)
    rows = hold_waiting([*failed])
    closed = _closed_addresses([row.waiting_id for row in rows if row.waiting_id])
    ended: dict[Ending, list[UUID]] = defaultdict(list)
    for row in rows:
        assert row.waiting_id
        ended[closed.get(row.waiting_id, Ending.FAILED)].append(row.pk)
    for ending, ids in ended.items():
        stop_enrolments(ids, ending, at=max(failed.values()))
    return len(rows)


def note_withdrawn(withdrawn: Moments) -> int:
    """Messages were taken back unsent. One that would have gone by itself is written anew, once
    there is time; one that nobody wanted to send by hand is passed over."""
    rows = hold_waiting([*withdrawn])
    done = Execution.objects.filter(message__in=[row.waiting_id for row in rows])
    executions = {each.message_id: each for each in done.select_related("message")}
    again = []
    for row in rows:
        assert row.waiting_id
        at, execution = withdrawn[row.waiting_id], executions.get(row.waiting_id)
        if execution and execution.outcome == Execution.Outcome.QUEUED:
            again.append((row, execution))
            row.step = execution.step
            moving.fall_due(row, at)
        else:
            moving.settle(row, at)
    _uncount(again)
    Execution.objects.filter(pk__in=[each.pk for _row, each in again]).update(message=None)
    moving.save_enrolments(rows)
    return len(rows)


def look_at_branches(enrolment_ids: Iterable[UUID], at: datetime) -> int:
    """Ask branches anew that wait for somebody to do something; returns how many.

    Whether one does is asked once its row is held: the engine may just be coming to it.
    """
    rows = hold_where(Q(pk__in=[*enrolment_ids]))
    return _fall_due([row for row in rows if _is_asked(row)], at)


def look_at_branches_of(lead_ids: Iterable[UUID], at: datetime) -> int:
    """Ask branches anew that wait for something to be so of leads; returns how many."""
    return _look_at(Q(lead__in=[*lead_ids], **ASKED), at)


def look_at_obstacles(lead_ids: Iterable[UUID], at: datetime) -> int:
    """Look whether what holds leads up is there still; returns how many were held up."""
    return _look_at(Q(lead__in=[*lead_ids], waiting_for=Waiting.PERSON), at)


ASKED = {"delay": Delay.CONDITION, "state": Enrolment.State.ACTIVE}


def _is_asked(row: Enrolment) -> bool:
    return all(getattr(row, name) == value for name, value in ASKED.items())


def _look_at(wanted: Q, at: datetime) -> int:
    return _fall_due(hold_where(wanted), at)


def _fall_due(rows: Sequence[Enrolment], at: datetime) -> int:
    for row in rows:
        moving.fall_due(row, at)
    moving.save_enrolments(rows)
    return len(rows)


def enrolments_of(message_ids: Iterable[UUID]) -> list[UUID]:
    """The enrolments whose steps sent these messages."""
    rows = Execution.objects.filter(message__in=[*message_ids])
    return list(rows.values_list("enrolment_id", flat=True))


def _closed_addresses(message_ids: Sequence[UUID]) -> dict[UUID, Ending]:
    """Messages whose address is closed by now, and what that ends a sequence with."""
    rows = fetch_rows(CLOSED, {"ids": [*message_ids]}) if message_ids else []
    endings = {
        message_id: Ending.BOUNCED if bounced else Ending.OPTED_OUT if opted_out else None
        for message_id, bounced, opted_out in rows
    }
    return {message_id: ending for message_id, ending in endings.items() if ending}


def _uncount(again: Sequence[tuple[Enrolment, Execution]]) -> None:
    """What did not go out does not count for its day."""
    zone = ZoneInfo(current_tenant().time_zone)
    counted: list[tuple[str, date]] = []
    for row, execution in again:
        message, day = execution.message, execution.executed_at.astimezone(zone).date()
        if message and message.account_id:
            counted.append((account_key(message.account_id), day))
        if row.sender_id:
            counted.append((sender_key(row.sender_id), day))
    if not counted:
        return
    first = min(execution.executed_at for _row, execution in again)
    ledger = Ledger.held({key for key, _day in counted}, zone, first)
    for key, day in counted:
        if ledger.used.get(key, {}).get(day):
            ledger.count([key], day, -1)
    ledger.save()
