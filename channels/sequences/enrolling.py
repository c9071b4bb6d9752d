"""Taking leads into a sequence, and taking them out: by hand, in bulk, by a rule, by a program.

A lead is in a sequence once at a time. Whoever comes in is due at once; the engine does the rest.
Locks are taken in the order of `holding`: leads first, then enrolments by their ids, then messages.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict, Unpack
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import models as db
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.models import Account, Channel, Message, MessageStatus
from channels.sequences import models, zones
from channels.sequences.calendars import Calendar
from channels.sequences.companies import company_key
from channels.sequences.decisions import Delay, Ending
from channels.sequences.models import Enrolment, EntryRule, Waiting
from channels.sequences.payloads import (
    SequenceEnrolled,
    SequenceFinished,
    SequencePaused,
    SequenceResumed,
)
from channels.sequences.plans import Plan
from channels.sequences.refusing import Refusal, refusals_of
from channels.sequences.versions import published
from channels.sequences.work_calendars import calendar_for
from channels.sequences.working_time import NeverOpens, add_open_time, open_time
from channels.services.withdrawing import withdraw_messages
from events.publishing import Draft, publish, publish_many
from leads.models import Lead
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User

State = Enrolment.State
Source = Enrolment.Source
# Why an enrolment is paused where a person did it; the engine has reasons of its own.
BY_HAND = "by_hand"
NOTHING = timedelta()


@dataclass(frozen=True)
class EnrolReport:
    """Who came in, and who did not, by the lead's id."""

    enrolled: list[Enrolment] = field(default_factory=list)
    refused: dict[UUID, Refusal] = field(default_factory=dict)


class How(TypedDict, total=False):
    """How leads come into a sequence.

    Attributes:
        sender: in whose name it is written; else each lead's owner, else the sequence's.
        account: through which mails go; None: as with any other message.
        actor: who asked for it.
        rule: that asked for it.
        at: when; now when not given.
    """

    sender: User | None
    account: Account | None
    actor: User | None
    rule: EntryRule | None
    at: datetime | None


@transaction.atomic
def enrol_leads(
    leads: Iterable[Lead], sequence: models.Sequence, *, source: str, **how: Unpack[How]
) -> EnrolReport:
    """Take leads into a sequence, in a constant number of statements.

    Args:
        source: an `Enrolment.Source`.
        how: see `How`.

    Raises:
        ValidationError: under "sequence": nobody can come into it; under "account".
    """
    now = how.get("at") or timezone.now()
    check_account(how.get("account"))
    version = published_version(sequence)
    wanted = {lead.pk for lead in leads}
    held = _lock_leads(wanted)
    read = published(version.pk)
    refused = refusals_of(held, sequence, read, now)
    refused |= dict.fromkeys(wanted - {lead.pk for lead in held}, Refusal.GONE)
    rounds = _rounds_of(held, sequence)
    fresh = [
        new_enrolment(
            lead, version, read.plan, now, source=source, round=rounds.get(lead.pk, 0) + 1, **how
        )
        for lead in held
        if lead.pk not in refused
    ]
    Enrolment.objects.bulk_create(fresh)
    publish_many(Draft(_enrolled(each, sequence), now) for each in fresh)
    return EnrolReport(fresh, refused)


def new_enrolment(
    lead: Lead,
    version: models.Version,
    plan: Plan,
    now: datetime,
    *,
    source: str = Source.HAND,
    round: int = 1,
    **how: Unpack[How],
) -> Enrolment:
    """A lead at the beginning of a sequence, not saved: the preview looks at such a one, too.

    Args:
        plan: the version's.
    """
    place = whereabouts_of(lead, now)
    return Enrolment(
        tenant=current_tenant(),
        sequence=version.sequence,
        version=version,
        lead=lead,
        sender=how.get("sender") or lead.owner or version.sequence.owner,
        account=how.get("account"),
        source=source,
        rule=how.get("rule"),
        round=round,
        step=plan.first,
        time_zone=place.zone.key,
        zone_source=place.source.value,
        company_key=company_key(lead.emails),
        enrolled_by=how.get("actor"),
        enrolled_at=now,
        since=now,
        next_step_at=now,
    )


def published_version(sequence: models.Sequence) -> models.Version:
    """The version on which those begin who come in now.

    Raises:
        ValidationError: under "sequence": nobody can come in.
    """
    version: models.Version | None = sequence.published
    if version is None:
        raise ValidationError({"sequence": _("Publish the sequence first.")})
    if sequence.state == models.Sequence.State.ARCHIVED:
        raise ValidationError(
            {"sequence": _("The sequence is archived: nobody comes in any more.")}
        )
    return version


def check_account(account: Account | None) -> None:
    """Refuse an account through which mails of a sequence cannot go; None: the usual one.

    Raises:
        ValidationError: under "account".
    """
    if account and not account.is_active:
        raise ValidationError({"account": _("This account is not in use.")})
    if account and account.channel != Channel.EMAIL:
        raise ValidationError({"account": _("Mails do not go through this account.")})


@transaction.atomic
def pause_enrolment(enrolment: Enrolment, *, at: datetime | None = None) -> Enrolment:
    """Let a lead wait where it is until somebody lets it go on; what is left of a wait is kept.

    A message that had not gone out is taken back, and written anew when the lead goes on; one that
    is to be sent by hand is left to whoever sends it.

    Raises:
        ValidationError: it is paused, or has finished.
        Enrolment.DoesNotExist: it was deleted, or belongs to another tenant.
    """
    row, now = lock_enrolment(enrolment.pk), at or timezone.now()
    if row.state != State.ACTIVE:
        raise ValidationError(_("It is not under way."))
    withdraw_queued([row], _("The lead was paused."))
    row.remaining = _remaining(row, now)
    row.state, row.reason, row.resume_at = State.PAUSED, BY_HAND, None
    row.next_step_at = row.place_at = None
    row.save()
    publish(SequencePaused(**_told(row), reason=BY_HAND), occurred_at=now)
    return row


@transaction.atomic
def resume_enrolment(enrolment: Enrolment, *, at: datetime | None = None) -> Enrolment:
    """Let a lead go on, with what was left of its wait; one who is away is not waited for.

    Raises:
        ValidationError: it is not paused.
        Enrolment.DoesNotExist: it was deleted, or belongs to another tenant.
    """
    row, now = lock_enrolment(enrolment.pk), at or timezone.now()
    if row.state != State.PAUSED:
        raise ValidationError(_("It is not paused."))
    row.state, row.reason, row.resume_at = State.ACTIVE, "", None
    if not row.waiting_for and row.next_step_at is None:
        row.next_step_at = _goes_on_at(row, now)
        _count_from_here(row, now)
    else:
        row.remaining = None
    row.save()
    publish(SequenceResumed(**_told(row)), occurred_at=now)
    return row


@transaction.atomic
def stop_enrolments(
    ids: Collection[UUID], ending: Ending = Ending.BY_HAND, *, at: datetime | None = None
) -> list[Enrolment]:
    """Take leads out of their sequences; what still waits to be sent to them is withdrawn.

    Returns:
        Those that this has ended: who had finished before is left as they are.
    """
    now = at or timezone.now()
    rows = _lock_open(ids)
    withdrawn = [
        row.waiting_id for row in rows if row.waiting_for == Waiting.MESSAGE and row.waiting_id
    ]
    withdraw_messages(withdrawn, _("The sequence has ended for this lead."))
    for row in rows:
        row.state, row.reason = State.FINISHED, ending.value
        # Told late, what ended it may have happened before they came in.
        row.finished_at = max(now, row.enrolled_at)
        row.next_step_at = row.place_at = row.resume_at = row.remaining = None
        row.waiting_for, row.waiting_id, row.obstacle, row.obstacle_names = "", None, "", []
        row.delay = row.says = ""
    Enrolment.objects.bulk_update(rows, FINISHING)
    publish_many(
        Draft(SequenceFinished(**_told(row), reason=ending.value, steps=row.steps_done), now)
        for row in rows
    )
    return rows


FINISHING = (
    *("state", "reason", "finished_at", "next_step_at", "place_at", "resume_at", "remaining"),
    *("waiting_for", "waiting_id", "obstacle", "obstacle_names", "delay", "says"),
)


def withdraw_queued(rows: Iterable[Enrolment], reason: str) -> None:
    """Take back what has not gone out to people who wait now; it is written anew when they go on.

    Args:
        rows: held by the caller.
    """
    awaited = [row.waiting_id for row in rows if row.waiting_for == Waiting.MESSAGE]
    queued = Message.objects.filter(pk__in=awaited, status=MessageStatus.QUEUED)
    withdraw_messages(queued.values_list("pk", flat=True), reason)


def lock_enrolment(enrolment_id: UUID) -> Enrolment:
    """The enrolment as it is in the database, locked until the transaction ends.

    Raises:
        Enrolment.DoesNotExist: it was deleted, or belongs to another tenant than the current one.
    """
    rows = Enrolment.objects.select_for_update(no_key=True, of=("self",))
    row: Enrolment = rows.select_related("sequence", "version", "lead").get(pk=enrolment_id)
    return row


def whereabouts_of(lead: Lead, at: datetime) -> zones.Whereabouts:
    """Where a lead lives, by what is known of it."""
    return zones.locate(
        time_zone=lead.time_zone,
        country=lead.country,
        phones=lead.phones,
        tenant=ZoneInfo(current_tenant().time_zone),
        at=at,
    )


# --- Coming in ----------------------------------------------------------------------------------


def _lock_leads(ids: Collection[UUID]) -> list[Lead]:
    # No join: PostgreSQL drops a row from a join whose key was changed while we waited for it.
    rows = Lead.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    held = list(rows)
    db.prefetch_related_objects(held, "contact_points", "owner")
    return held


def _rounds_of(leads: Collection[Lead], sequence: models.Sequence) -> dict[UUID, int]:
    rows = Enrolment.objects.filter(sequence=sequence, lead__in=leads).values("lead_id")
    return dict(rows.annotate(last=db.Max("round")).values_list("lead_id", "last"))


def _enrolled(enrolment: Enrolment, sequence: models.Sequence) -> SequenceEnrolled:
    return SequenceEnrolled(**_told(enrolment), source=enrolment.source)


class Told(TypedDict):
    """What all events about an enrolment tell; see `payloads.EnrolmentPayload`."""

    lead_id: UUID
    sequence_id: UUID
    sequence: str
    enrolment_id: UUID
    sequence_version: int


def _told(row: Enrolment) -> Told:
    return {
        "lead_id": row.lead_id,
        "sequence_id": row.sequence_id,
        "sequence": row.sequence.name,
        "enrolment_id": row.pk,
        "sequence_version": row.version.number,
    }


# --- Waiting, going on, leaving -----------------------------------------------------------------


def _lock_open(ids: Collection[UUID]) -> list[Enrolment]:
    rows = Enrolment.objects.filter(pk__in=ids).exclude(state=State.FINISHED).order_by("pk")
    held = rows.select_for_update(no_key=True, of=("self",))
    return list(held.select_related("sequence", "version"))


def _count_from_here(row: Enrolment, now: datetime) -> None:
    """What is counted from the step before goes on with what was left: a wait ends then, and a
    branch's limit has so much of it still."""
    if row.delay == Delay.CONDITION:
        row.since = now
        return
    row.since = max(row.since, row.next_step_at or now) if row.remaining else row.since
    row.remaining = None


def _remaining(row: Enrolment, now: datetime) -> timedelta | None:
    """Working time that is left of a wait; none of what merely waits for its turn."""
    if row.next_step_at is None:
        return None
    if row.delay and row.delay != Delay.CONDITION:
        return NOTHING
    place = whereabouts_of(row.lead, now)
    try:
        return open_time(now, row.next_step_at, _calendar_of(row, place), place.zone)
    except NeverOpens:
        return NOTHING


def _goes_on_at(row: Enrolment, now: datetime) -> datetime:
    place = whereabouts_of(row.lead, now)
    try:
        return add_open_time(now, row.remaining or NOTHING, _calendar_of(row, place), place.zone)
    except NeverOpens:
        # The engine says so, and waits for somebody.
        return now


def _calendar_of(row: Enrolment, place: zones.Whereabouts) -> Calendar:
    document = published(row.version_id).document
    return calendar_for(document.calendar_id, place.country)
