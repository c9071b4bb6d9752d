"""What has to be known of people in sequences, read in as many queries as there are kinds of it.

`facts` makes of it what `deciding` asks. Nothing here decides, and nothing is locked: the engine
holds the enrolments and their leads, a preview holds nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Max, QuerySet

from channels.models import Account, Channel, Conversation, Identity, MessageTemplate
from channels.sequences import models as kept
from channels.sequences import versions
from channels.sequences.calendars import Calendar, Unusable, read_calendar
from channels.sequences.companies import words_of_companies
from channels.sequences.decisions import Answer
from channels.sequences.models import Enrolment, Execution, WorkCalendar
from channels.sequences.plans import LinkedInStep, MessageStep, Template
from channels.sequences.versions import Published
from channels.sequences.work_calendars import OFFICE_HOURS, read_row
from channels.transports import TransportError, transport_named
from events.rows import fetch_rows
from leads.models import Lead, Meeting
from leads.queries import read_contact_values
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import Tenant, User
from salesflow.accounts.queries import team_members

# Where a team has no calendar of its own.
OFFICE = read_calendar(OFFICE_HOURS)
NEVER = Calendar(hours=((),) * 7)
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
STANDINGS = """
    SELECT standing.channel, standing.address, basis, opted_out_at, bounced_at
    FROM unnest(%(channels)s::text[], %(addresses)s::text[]) AS asked (channel, address)
    JOIN channels_addressstanding AS standing ON standing.tenant_id = %(tenant)s
     AND standing.channel = asked.channel AND standing.address = asked.address
"""
# By the index message_in_thread: when each lead has written last through each account.
WRITTEN = """
    SELECT conversation_id, account_id, max(created_at) FROM channels_message
    WHERE conversation_id = ANY(%(conversations)b) AND created_at > %(since)s
      AND direction = 'inbound' AND automatic = '' AND account_id IS NOT NULL
    GROUP BY conversation_id, account_id
"""


class KnownStanding(NamedTuple):
    """What is known of an address."""

    basis: str = ""
    opted_out_at: datetime | None = None
    bounced_at: datetime | None = None


class Absence(NamedTuple):
    """That somebody's program has said that they are away; `returns_on` where it told that."""

    heard_at: datetime
    returns_on: date | None


@dataclass(frozen=True)
class Records:
    """What was read of some enrolments of one tenant.

    Attributes:
        published: by id of the version.
        held: the sequences that are paused.
        leads: by id, with their contact points; whose lead is not here, has none any more.
        hidden: ids under which vendors know leads who show no address, the newest first.
        accounts: by id, without their secrets.
        done: what was executed, by enrolment, the first one first.
        answers: what people wrote since they were enrolled, by enrolment.
        company_answers: what their colleagues have just written, where that ends a sequence.
        met: when the last meeting was booked, by lead.
        windows: when somebody wrote last, by conversation and account.
        templates: those that vendors have approved.
        calendars: by id; None: the default one.
    """

    now: datetime
    tenant: Tenant
    published: Mapping[UUID, Published]
    held: frozenset[UUID]
    leads: Mapping[UUID, Lead]
    hidden: Mapping[tuple[UUID, str], Sequence[str]]
    accounts: Mapping[UUID, Account]
    conversations: Mapping[tuple[UUID, str], Conversation]
    windows: Mapping[tuple[UUID, UUID], datetime]
    standings: Mapping[tuple[str, str], KnownStanding]
    done: Mapping[UUID, Sequence[Execution]]
    answers: Mapping[UUID, Answer]
    company_answers: Mapping[UUID, Answer]
    absences: Mapping[UUID, Absence]
    met: Mapping[UUID, datetime]
    senders: Mapping[int, User]
    templates: Mapping[Template, MessageTemplate]
    calendars: Mapping[UUID | None, Calendar]

    @property
    def zone(self) -> ZoneInfo:
        """The tenant's."""
        return ZoneInfo(self.tenant.time_zone)

    def sender_of(self, row: Enrolment) -> User | None:
        """In whose name somebody is written to; None: nobody's, or they have left the team."""
        return self.senders.get(row.sender_id) if row.sender_id else None

    def calendar_of(self, row: Enrolment) -> Calendar:
        """The calendar of somebody's version, before the holidays of their country."""
        wanted = self.published[row.version_id].document.calendar_id
        return self.calendars.get(wanted) or self.calendars.get(None) or OFFICE

    def addresses_of(self, lead: Lead, channel: str) -> Sequence[str]:
        """Where the lead is reached on a channel, the primary address first."""
        return known_addresses(lead, channel) or self.hidden.get((lead.pk, channel), ())

    def account_for(self, row: Enrolment, channel: str) -> Account | None:
        """Through which account somebody is written to; None: there is none.

        One that was chosen is never replaced: an answer would go elsewhere.
        """
        chosen = self.accounts.get(row.account_id) if row.account_id else None
        if chosen and chosen.channel == channel:
            return chosen
        conversation = self.conversations.get((row.lead_id, channel))
        used = conversation.account_id if conversation else None
        last = self.accounts.get(used) if used else None
        if last and last.is_active and last.channel == channel:
            return last
        own = (each for each in self.accounts.values() if each.channel == channel)
        return next((each for each in own if each.is_default and each.is_active), None)


def held_sequences(rows: Iterable[Enrolment]) -> frozenset[UUID]:
    """Those of the enrolments' sequences that are paused."""
    sequences = kept.Sequence.objects.filter(pk__in={row.sequence_id for row in rows})
    return frozenset(
        sequences.filter(state=kept.Sequence.State.PAUSED).values_list("pk", flat=True)
    )


def read_leads(ids: Iterable[UUID]) -> dict[UUID, Lead]:
    """Leads by id, with their contact points."""
    return _with_contact_values(_leads(ids))


def lock_free_leads(ids: Iterable[UUID]) -> dict[UUID, Lead]:
    """As `read_leads`, those alone that nobody holds, locked: who holds one may be taking a reply
    in."""
    # No join: PostgreSQL drops a row from a join whose key was changed while we waited for it.
    return _with_contact_values(_leads(ids).select_for_update(no_key=True, skip_locked=True))


def read_records(
    rows: Sequence[Enrolment],
    now: datetime,
    *,
    leads: Mapping[UUID, Lead] | None = None,
    held: frozenset[UUID] | None = None,
    published: Mapping[UUID, Published] | None = None,
) -> Records:
    """Read what is known of enrolments of the current tenant, saved or not.

    Args:
        leads: theirs, where they were read before; likewise `held` and `published`.
    """
    tenant = current_tenant()
    leads = read_leads({row.lead_id for row in rows}) if leads is None else leads
    if published is None:
        published = {each: versions.published(each) for each in {row.version_id for row in rows}}
    hidden = _hidden_addresses(leads.values(), published.values())
    accounts = {account.pk: account for account in Account.objects.defer("secrets")}
    conversations = {
        (row.lead_id, row.channel): row for row in Conversation.objects.filter(lead__in=[*leads])
    }
    return Records(
        now=now,
        tenant=tenant,
        published=published,
        held=held_sequences(rows) if held is None else held,
        leads=leads,
        hidden=hidden,
        accounts=accounts,
        conversations=conversations,
        windows=_windows(conversations.values(), accounts, now),
        standings=_standings(tenant, leads.values(), hidden),
        done=_executions(rows),
        answers=_answers(rows),
        company_answers=_company_answers(rows, published, now),
        absences=_absences(leads, now),
        met=_meetings(leads),
        senders=team_members().in_bulk({row.sender_id for row in rows if row.sender_id}),
        templates=_templates(published.values()),
        calendars=_calendars(),
    )


def known_addresses(lead: Lead, channel: str) -> list[str]:
    """The lead's own addresses on a channel, the primary one first."""
    return lead.values_of(Channel(channel).contact_kind)


def channels_in(published: Iterable[Published]) -> set[str]:
    """The channels on which some versions write."""
    steps = (step for each in published for step in each.plan.steps)
    return {step.channel for step in steps if isinstance(step, (MessageStep, LinkedInStep))}


def returning_day(told: str | None) -> date | None:
    """The day that an absence's message has told, as `channels.receiving` keeps it."""
    return datetime.fromisoformat(told).date() if told else None


def _leads(ids: Iterable[UUID]) -> QuerySet[Lead]:
    rows: QuerySet[Lead] = Lead.objects.filter(pk__in={*ids}).order_by("pk")
    return rows


def _with_contact_values(rows: Iterable[Lead]) -> dict[UUID, Lead]:
    found = {lead.pk: lead for lead in rows}
    read_contact_values(found.values())
    return found


def _hidden_addresses(
    leads: Iterable[Lead], published: Iterable[Published]
) -> dict[tuple[UUID, str], list[str]]:
    channels = channels_in(published)
    without = {
        lead.pk for lead in leads for channel in channels if not known_addresses(lead, channel)
    }
    found: dict[tuple[UUID, str], list[str]] = defaultdict(list)
    if without:
        rows = Identity.objects.filter(lead__in=without).order_by("-id")
        for lead, channel, known in rows.values_list("lead", "account__channel", "external_id"):
            found[lead, channel].append(known)
    return dict(found)


def _windows(
    conversations: Collection[Conversation], accounts: Mapping[UUID, Account], now: datetime
) -> dict[tuple[UUID, UUID], datetime]:
    limits = {
        (account.channel, hours)
        for account in accounts.values()
        if (hours := window_hours(account))
    }
    channels = {channel for channel, _hours in limits}
    limited = [row.pk for row in conversations if row.channel in channels]
    if not limited:
        return {}
    since = now - timedelta(hours=max(hours for _channel, hours in limits))
    rows = fetch_rows(WRITTEN, {"conversations": limited, "since": since})
    return {(conversation, account): at for conversation, account, at in rows}


def window_hours(account: Account) -> int | None:
    """For how long after a word of theirs free text may go; None: always."""
    try:
        return transport_named(account.transport).window_hours
    except TransportError:
        return None


def _standings(
    tenant: Tenant, leads: Iterable[Lead], hidden: Mapping[tuple[UUID, str], Sequence[str]]
) -> dict[tuple[str, str], KnownStanding]:
    asked = {
        (channel.value, address)
        for lead in leads
        for channel in Channel
        for address in known_addresses(lead, channel)
    }
    asked |= {(channel, each) for (_lead, channel), known in hidden.items() for each in known}
    if not asked:
        return {}
    channels, addresses = zip(*sorted(asked), strict=True)
    values = {"tenant": tenant.pk, "channels": [*channels], "addresses": [*addresses]}
    rows = fetch_rows(STANDINGS, values)
    return {(channel, address): KnownStanding(*told) for channel, address, *told in rows}


def _executions(rows: Sequence[Enrolment]) -> dict[UUID, list[Execution]]:
    done: dict[UUID, list[Execution]] = defaultdict(list)
    ids = [row.pk for row in rows if row.steps_done]
    if ids:
        for execution in Execution.objects.filter(enrolment__in=ids).order_by("executed_at", "id"):
            done[execution.enrolment_id].append(execution)
    return dict(done)


def _answers(rows: Sequence[Enrolment]) -> dict[UUID, Answer]:
    values = {
        "ids": [row.pk for row in rows],
        "leads": [row.lead_id for row in rows],
        "since": [row.enrolled_at for row in rows],
    }
    found = fetch_rows(ANSWERS, values) if rows else []
    return {enrolment: Answer(at, is_reply) for enrolment, at, is_reply in found}


def _company_answers(
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


def _absences(leads: Mapping[UUID, Lead], now: datetime) -> dict[UUID, Absence]:
    if not leads:
        return {}
    sent, heard = now - UNDER_WAY, now - JUST_HEARD
    rows = fetch_rows(ABSENCES, {"leads": [*leads], "sent": sent, "heard": heard})
    return {lead: Absence(heard_at, returning_day(told)) for lead, heard_at, told in rows}


def _meetings(leads: Mapping[UUID, Lead]) -> dict[UUID, datetime]:
    rows = Meeting.objects.filter(lead__in=[*leads]).order_by()
    return dict(rows.values_list("lead").annotate(Max("created_at")))


def _templates(published: Iterable[Published]) -> dict[Template, MessageTemplate]:
    if not any(_needs_templates(each) for each in published):
        return {}
    approved = MessageTemplate.VendorStatus.APPROVED
    rows = MessageTemplate.objects.filter(vendor_status=approved, is_active=True)
    return {Template(row.vendor_name, row.vendor_language): row for row in rows}


def _needs_templates(published: Published) -> bool:
    return any(
        variant.template
        for step in published.plan.steps
        if isinstance(step, (MessageStep, LinkedInStep))
        for variant in step.variants
    )


def _calendars() -> dict[UUID | None, Calendar]:
    found: dict[UUID | None, Calendar] = {}
    for row in WorkCalendar.objects.all():
        found[row.pk] = _calendar(row)
        if row.is_default:
            found[None] = found[row.pk]
    return found


def _calendar(row: WorkCalendar) -> Calendar:
    try:
        return read_row(row)
    except Unusable:
        # Such as one of a country that a later release of the library does not know any more.
        return NEVER
