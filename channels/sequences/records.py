"""What was read of some people in sequences, as `reading` hands it to `facts`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from channels.models import Account, Channel, Conversation, MessageTemplate
from channels.sequences.calendars import Calendar, read_calendar
from channels.sequences.decisions import Answer
from channels.sequences.models import Enrolment, Execution
from channels.sequences.plans import Template
from channels.sequences.versions import Published
from channels.sequences.work_calendars import OFFICE_HOURS
from leads.models import Lead
from salesflow.accounts.models import Tenant, User

# Where a team has no calendar of its own.
OFFICE = read_calendar(OFFICE_HOURS)


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


def known_addresses(lead: Lead, channel: str) -> list[str]:
    """The lead's own addresses on a channel, the primary one first."""
    return lead.values_of(Channel(channel).contact_kind)
