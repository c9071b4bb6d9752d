"""What ends a sequence for somebody before its end, or lets it wait while they are away.

What happened is not taken at its word: it is a reason to look again, by the same rules that are
asked before each step. So nothing depends on the order in which events are handled, or on whether
one is handled twice.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from channels.models import Automatic, Message
from channels.sequences import moving
from channels.sequences.companies import company_key
from channels.sequences.deciding import ending_of, return_from_absence
from channels.sequences.decisions import Ending
from channels.sequences.enrolling import stop_enrolments, withdraw_queued
from channels.sequences.facts import Teller, state_of
from channels.sequences.hearing import returning_day
from channels.sequences.holding import hold_open, hold_where
from channels.sequences.models import Enrolment
from channels.sequences.payloads import SequencePaused
from channels.sequences.plans import MessageStep, Rules
from channels.sequences.quotas import Ledger
from channels.sequences.reading import read_leads, read_records
from channels.sequences.versions import published
from channels.sequences.working_time import NeverOpens
from events.publishing import Draft, publish_many

State = Enrolment.State


def stop_enrolments_of(lead_id: UUID, ending: Ending, at: datetime) -> list[Enrolment]:
    """Take a lead out of all sequences; what is still to be sent to them is withdrawn.

    Returns:
        The enrolments that this has ended.
    """
    return _stop({ending: hold_open([lead_id])}, at)


def stop_where_ended(lead_ids: Iterable[UUID], at: datetime) -> list[Enrolment]:
    """Take leads out of the sequences that have ended for them: by a reply, a meeting, an opt-out,
    a bounce, because they are won or lost.

    Returns:
        The enrolments that this has ended.
    """
    rows = hold_open(lead_ids)
    if not rows:
        return []
    teller = Teller(read_records(rows, at))
    ended: dict[Ending, list[Enrolment]] = defaultdict(list)
    for row in rows:
        if ending := ending_of(_rules_of(row), state_of(row), teller.facts(row)):
            ended[ending].append(row)
    return _stop(ended, at, teller)


def stop_colleagues(messages: Sequence[Message], at: datetime) -> list[Enrolment]:
    """Take those out whose colleague has written to us, where their sequence wants that.

    Args:
        messages: that people have written.
    """
    leads = read_leads({message.lead_id for message in messages})
    written: dict[str, datetime] = {}
    for message in messages:
        lead = leads.get(message.lead_id)
        if lead and (key := company_key(lead.emails)):
            written[key] = max(written.get(key, stored_at(message)), stored_at(message))
    if not written:
        return []
    rows = hold_where(Q(company_key__in=written) & ~Q(lead__in=leads))
    ended = [
        row
        for row in rows
        if _rules_of(row).on_company_reply and row.enrolled_at <= written[row.company_key]
    ]
    return _stop({Ending.COMPANY_REPLIED: ended}, at)


def pause_absent(messages: Sequence[Message]) -> list[Enrolment]:
    """Let those wait whose program has said that they are away; a later word moves their return.

    Whoever was paused by hand stays so.
    """
    heard = {each.lead_id: each for each in sorted(messages, key=stored_at)}
    rows = [row for row in hold_open(heard) if _may_be_away(row, heard[row.lead_id])]
    if not rows:
        return []
    at = max(map(stored_at, messages))
    teller = Teller(read_records(rows, at))
    paused = {row: until for row in rows if (until := _until(row, heard[row.lead_id], teller, at))}
    give_back_places([*paused], at, teller)
    withdraw_queued(paused, _("They are away."))
    for row, until in paused.items():
        moving.pause(row, until)
    moving.save_enrolments([*paused])
    publish_many(
        Draft(SequencePaused(**_about(row), reason=moving.AWAY, until=until), at)
        for row, until in paused.items()
    )
    return [*paused]


def give_back_places(
    rows: Collection[Enrolment], at: datetime, teller: Teller | None = None
) -> None:
    """Let others have the places of those who do not need them any more.

    Args:
        rows: held by the caller, who takes the places from them and saves them.
    """
    placed = [row for row in rows if row.place_at and row.step]
    if not placed:
        return
    teller = teller or Teller(read_records(placed, at))
    ledger = Ledger.held(teller.keys(placed), teller.records.zone, at)
    for row in placed:
        assert row.place_at
        assert row.step
        step = published(row.version_id).plan.step(row.step)
        caps = teller.caps(row, step.channel) if isinstance(step, MessageStep) else None
        if caps:
            facts = teller.facts(row)
            ledger.give_back(caps, row.place_at, facts.calendar, facts.zone)
    ledger.save()


def stored_at(message: Message) -> datetime:
    """When a message came in here: what was written before may arrive late."""
    return message.stored_at or message.created_at


def _stop(
    ended: Mapping[Ending, Sequence[Enrolment]], at: datetime, teller: Teller | None = None
) -> list[Enrolment]:
    give_back_places([row for rows in ended.values() for row in rows], at, teller)
    return [
        row
        for ending, rows in ended.items()
        if rows
        for row in stop_enrolments([each.pk for each in rows], ending, at=at)
    ]


def _may_be_away(row: Enrolment, message: Message) -> bool:
    is_first = row.state == State.ACTIVE
    is_later = row.state == State.PAUSED and row.reason == moving.AWAY
    is_away = message.automatic == Automatic.OUT_OF_OFFICE
    return is_away and (is_first or is_later) and row.enrolled_at <= stored_at(message)


def _until(row: Enrolment, message: Message, teller: Teller, at: datetime) -> datetime | None:
    """When somebody is written to again; None: at once."""
    day, facts = returning_day(message.details.get("returns_at")), teller.facts(row)
    try:
        until = return_from_absence(day, stored_at(message), facts)
    except NeverOpens:
        return None
    return until if until > at else None


def _rules_of(row: Enrolment) -> Rules:
    return published(row.version_id).plan.rules


def _about(row: Enrolment) -> dict[str, object]:
    return moving.about(row, published(row.version_id).plan)
