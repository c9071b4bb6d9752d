"""What people have said since they came in: answers, also of colleagues, and that they are away.

Looked up in what was stored, and not in what handlers have made of it: they may be late.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from operator import attrgetter
from uuid import UUID

from channels.sequences.companies import words_of_companies
from channels.sequences.decisions import Answer
from channels.sequences.models import Enrolment
from channels.sequences.records import Absence
from channels.sequences.versions import Published
from events.rows import fetch_rows
from leads.models import Lead

# For so long it is looked whether somebody's program has said that they are away, and whether a
# colleague has written: by then handlers have paused or ended it, and what people decide afterwards
# holds.
JUST_HEARD = timedelta(minutes=10)
# A message that was under way for longer counts as heard of when it came.
UNDER_WAY = timedelta(days=2)

# By the index message_written_by_lead. It is a reply if it answers a message of the sequence, or
# comes in on a channel on which the sequence has written.
ANSWERS = """
    SELECT DISTINCT ON (asked.id) asked.id, message.stored_at, EXISTS (
        SELECT FROM sequences_execution AS done
        WHERE done.enrolment_id = asked.id AND done.message_id IS NOT NULL AND (
            done.message_id = message.in_reply_to_id
            OR done.channel = message.channel AND done.executed_at <= message.stored_at
        )
    ) AS is_reply
    FROM unnest(%(ids)b::uuid[], %(leads)b::uuid[], %(since)s::timestamptz[])
      AS asked (id, lead_id, since)
    JOIN channels_message AS message ON message.lead_id = asked.lead_id
     AND message.direction = 'inbound' AND message.automatic = ''
     AND message.stored_at >= asked.since
    ORDER BY asked.id, is_reply DESC, message.stored_at DESC
"""
# By the index message_of_lead.
ABSENCES = """
    SELECT DISTINCT ON (lead_id) lead_id, stored_at, details->>'returns_at'
    FROM channels_message
    WHERE lead_id = ANY(%(leads)b) AND created_at > %(sent)s AND stored_at > %(heard)s
      AND direction = 'inbound' AND automatic = 'out_of_office'
    ORDER BY lead_id, stored_at DESC
"""


def read_answers(rows: Sequence[Enrolment]) -> dict[UUID, Answer]:
    """What they wrote since they were enrolled, by enrolment."""
    values = {
        "ids": [row.pk for row in rows],
        "leads": [row.lead_id for row in rows],
        "since": [row.enrolled_at for row in rows],
    }
    found = fetch_rows(ANSWERS, values) if rows else []
    return {enrolment: Answer(at, is_reply) for enrolment, at, is_reply in found}


def read_company_answers(
    rows: Iterable[Enrolment], published: Mapping[UUID, Published], now: datetime
) -> dict[UUID, Answer]:
    """What was written by colleagues and has perhaps not been handled yet, by enrolment."""
    asked = [
        row
        for row in rows
        if row.company_key and published[row.version_id].plan.rules.on_company_reply
    ]
    words = words_of_companies(now - JUST_HEARD) if asked else {}
    return {
        row.pk: Answer(word.at)
        for row in asked
        for word in sorted(words.get(row.company_key, ()), key=attrgetter("at"))
        if word.lead_id != row.lead_id and word.at >= row.enrolled_at
    }


def read_absences(leads: Mapping[UUID, Lead], now: datetime) -> dict[UUID, Absence]:
    """Whose program has just said that they are away, by lead."""
    if not leads:
        return {}
    sent, heard = now - UNDER_WAY, now - JUST_HEARD
    rows = fetch_rows(ABSENCES, {"leads": [*leads], "sent": sent, "heard": heard})
    return {lead: Absence(heard_at, returning_day(told)) for lead, heard_at, told in rows}


def returning_day(told: str | None) -> date | None:
    """The day that an absence's message has told, as `channels.receiving` keeps it."""
    return datetime.fromisoformat(told).date() if told else None
