"""What has to be known of people in sequences, read in as many queries as there are kinds of it.

`facts` makes of it what `deciding` asks. Nothing here decides, and nothing is locked: the engine
holds the enrolments and their leads, a preview holds nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max, QuerySet

from channels.models import Account, Channel, Conversation, Identity, MessageTemplate
from channels.sequences import models as kept
from channels.sequences import versions
from channels.sequences.calendars import Calendar
from channels.sequences.hearing import read_absences, read_answers, read_company_answers
from channels.sequences.models import Enrolment, Execution, WorkCalendar
from channels.sequences.plans import LinkedInStep, MessageStep, Template
from channels.sequences.records import KnownStanding, Records, known_addresses
from channels.sequences.versions import Published
from channels.sequences.work_calendars import usable
from channels.transports import TransportError, transport_named
from events.rows import fetch_rows
from leads.models import Lead, Meeting
from leads.queries import read_contact_values
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import Tenant, User
from salesflow.accounts.queries import team_members

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
    published = _published(rows) if published is None else published
    hidden = _hidden_addresses(leads.values(), published.values())
    accounts, conversations = _accounts(), _conversations(leads)
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
        answers=read_answers(rows),
        company_answers=read_company_answers(rows, published, now),
        absences=read_absences(leads, now),
        met=_meetings(leads),
        senders=_senders(rows),
        templates=_templates(published.values()),
        calendars=_calendars(),
    )


def channels_in(published: Iterable[Published]) -> set[str]:
    """The channels on which some versions write."""
    steps = (step for each in published for step in each.plan.steps)
    return {step.channel for step in steps if isinstance(step, (MessageStep, LinkedInStep))}


def _leads(ids: Iterable[UUID]) -> QuerySet[Lead]:
    rows: QuerySet[Lead] = Lead.objects.filter(pk__in={*ids}).order_by("pk")
    return rows


def _with_contact_values(rows: Iterable[Lead]) -> dict[UUID, Lead]:
    found = {lead.pk: lead for lead in rows}
    read_contact_values(found.values())
    return found


def _published(rows: Iterable[Enrolment]) -> dict[UUID, Published]:
    return {each: versions.published(each) for each in {row.version_id for row in rows}}


def _accounts() -> dict[UUID, Account]:
    return {account.pk: account for account in Account.objects.defer("secrets")}


def _conversations(leads: Mapping[UUID, Lead]) -> dict[tuple[UUID, str], Conversation]:
    rows = Conversation.objects.filter(lead__in=[*leads])
    return {(row.lead_id, row.channel): row for row in rows}


def _senders(rows: Iterable[Enrolment]) -> dict[int, User]:
    found: dict[int, User] = team_members().in_bulk(
        {row.sender_id for row in rows if row.sender_id}
    )
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
        found[row.pk] = usable(row)
        if row.is_default:
            found[None] = found[row.pk]
    return found
