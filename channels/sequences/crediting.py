"""Which step a reply, a won deal or an opt-out is credited to, for the numbers of a sequence.

A reply counts for the message that it answers; else, as all the rest, for the step that was sent
last before it, also where the sequence has finished meanwhile. Each step is credited once.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import LiteralString, NamedTuple
from uuid import UUID

from psycopg import sql

from channels.models import Message
from channels.sequences.stopping import stored_at
from events.rows import fetch_rows

# Who writes later than this does so for reasons of their own.
LONGEST = timedelta(days=90)

# By the indexes execution_of_message and enrolment_of_lead.
CREDIT: LiteralString = """
    UPDATE sequences_execution SET {column} = credited.at
    FROM (
        SELECT DISTINCT ON (step.id) step.id, given.at
        FROM unnest(
            %(leads)b::uuid[], %(at)s::timestamptz[], %(channels)s::text[], %(answers)b::uuid[]
        ) AS given (lead_id, at, channel, answers)
        CROSS JOIN LATERAL (SELECT coalesce(
            (SELECT id FROM sequences_execution WHERE message_id = given.answers LIMIT 1),
            (SELECT done.id
             FROM sequences_enrolment AS enrolment
             JOIN sequences_execution AS done ON done.enrolment_id = enrolment.id
             WHERE enrolment.lead_id = given.lead_id
               AND done.sent_at BETWEEN given.at - %(longest)s AND given.at
               AND given.channel IN ('', done.channel)
             ORDER BY done.sent_at DESC LIMIT 1)
        ) AS id) AS step
        WHERE step.id IS NOT NULL
        ORDER BY step.id, given.at
    ) AS credited
    WHERE sequences_execution.id = credited.id AND {column} IS NULL
    RETURNING enrolment_id
"""


class Credit(NamedTuple):
    """That a lead has done something.

    Attributes:
        channel: a step on another one has no share in it; empty: any may.
        answers: the message that it was an answer to.
    """

    lead_id: UUID
    at: datetime
    channel: str = ""
    answers: UUID | None = None


def credit_replies(messages: Iterable[Message]) -> list[UUID]:
    """Credit what people have written; returns the enrolments whose steps it is credited to."""
    return _credit(
        "replied_at",
        [Credit(each.lead_id, stored_at(each), answers=each.in_reply_to_id) for each in messages],
    )


def credit_won(won: Iterable[Credit]) -> list[UUID]:
    """Credit won deals; returns the enrolments."""
    return _credit("won_at", [*won])


def credit_opt_outs(opted_out: Iterable[Credit]) -> list[UUID]:
    """Credit opt-outs; returns the enrolments."""
    return _credit("unsubscribed_at", [*opted_out])


def _credit(column: str, credits: list[Credit]) -> list[UUID]:
    if not credits:
        return []
    statement = sql.SQL(CREDIT).format(column=sql.Identifier(column)).as_bytes()
    values = {
        "leads": [each.lead_id for each in credits],
        "at": [each.at for each in credits],
        "channels": [each.channel for each in credits],
        "answers": [each.answers for each in credits],
        "longest": LONGEST,
    }
    return [enrolment_id for (enrolment_id,) in fetch_rows(statement, values)]
