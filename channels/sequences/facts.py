"""What `deciding` has to know of somebody, made of what `reading` has read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from channels.health import hears
from channels.models import Account, Channel, Purpose
from channels.sequences import zones
from channels.sequences.asking import standing_of
from channels.sequences.calendars import Calendar
from channels.sequences.conditions import Signal
from channels.sequences.deciding import return_from_absence
from channels.sequences.decisions import AccountState, Facts, LeadState, Reach, Standing, State
from channels.sequences.models import Enrolment, Execution
from channels.sequences.plans import LinkedInStep
from channels.sequences.quotas import Caps, Ledger
from channels.sequences.reading import (
    channels_in,
    read_records,
    window_hours,
)
from channels.sequences.records import KnownStanding, Records
from channels.sequences.versions import Published
from channels.sequences.working_time import NeverOpens
from channels.sequences.zones import Whereabouts
from channels.transports import TransportError, transport_named
from channels.variables import values_for
from leads.models import Lead

# Sequences write to people who have not asked for it: they need a lawful basis, and go out with a
# way to opt out.
PURPOSE = Purpose.MARKETING


def facts_of(
    rows: Sequence[Enrolment],
    at: datetime,
    *,
    published: Mapping[UUID, Published] | None = None,
) -> dict[UUID, Facts]:
    """The facts of some enrolments of the current tenant by their ids, without caps.

    Args:
        rows: saved or not: a preview asks what would be.
        published: their versions by id, where they were read before.
    """
    teller = Teller(read_records(rows, at, published=published))
    return {row.pk: teller.facts(row) for row in rows}


def state_of(row: Enrolment, done: Sequence[Execution] = ()) -> State:
    """Where somebody is."""
    return State(
        enrolment_id=row.pk,
        step=row.step,
        enrolled_at=row.enrolled_at,
        since=row.since,
        executed={each.step: each.next for each in done if not is_open_again(each)},
        place=row.place_at,
        # Of who is paused it tells what was left then, and since when is open.
        left=row.remaining if row.state == Enrolment.State.ACTIVE else None,
    )


def is_open_again(execution: Execution) -> bool:
    """Whether its message was withdrawn unsent, so that it is written anew, in the same row."""
    is_queued = execution.outcome == Execution.Outcome.QUEUED
    return is_queued and execution.message_id is None and execution.sent_at is None


class Teller:
    """Tells the facts of those whose records were read.

    Args:
        ledger: of the accounts and senders through whom they are written to; None: caps are not
            asked.
    """

    def __init__(self, records: Records, ledger: Ledger | None = None) -> None:
        self.records, self.ledger = records, ledger
        self._states: dict[UUID, tuple[AccountState, str]] = {}
        self._places: dict[UUID, Whereabouts] = {}
        self._templates = frozenset(records.templates)

    def facts(self, row: Enrolment) -> Facts:
        """What is known of somebody."""
        records, lead = self.records, self.records.leads.get(row.lead_id)
        if lead is None:
            gone = records.calendar_of(row), records.zone
            return Facts(*gone, lead=LeadState.DELETED)
        where = self.whereabouts(lead)
        calendar = records.calendar_of(row).of_contact(where.country)
        published = records.published[row.version_id]
        refused = self._standings_of(lead)
        return Facts(
            calendar=calendar,
            zone=where.zone,
            values=values_for(lead, records.sender_of(row)),
            fields=standing_of(lead),
            reaches={each: self.reach(row, lead, each) for each in channels_in([published])},
            signals=_signals(records.done.get(row.pk, ())),
            lead=LeadState(lead.outcome),
            is_held=row.sequence_id in records.held,
            answered=records.answers.get(row.pk),
            company_answered=records.company_answers.get(row.pk),
            met_at=records.met.get(lead.pk),
            opted_out_at=_latest(each.opted_out_at for each in refused),
            bounced_at=_latest(each.bounced_at for each in refused),
            away_until=self._away_until(row, calendar, where),
        )

    def whereabouts(self, lead: Lead) -> Whereabouts:
        """Where somebody lives, as far as anybody knows."""
        if lead.pk not in self._places:
            self._places[lead.pk] = zones.locate(
                time_zone=lead.time_zone,
                country=lead.country,
                phones=lead.phones,
                tenant=self.records.zone,
                at=self.records.now,
            )
        return self._places[lead.pk]

    def reach(self, row: Enrolment, lead: Lead, channel: str) -> Reach:
        """How somebody is reached on a channel."""
        address = next(iter(self.records.addresses_of(lead, channel)), "")
        account = self.records.account_for(row, channel)
        state, says = self._state_of(account)
        caps = self.caps(row, channel)
        return Reach(
            address=address,
            standing=self._standing(channel, address),
            account=state,
            says=says,
            needs_template=bool(account and self._needs_template(row, channel, account)),
            templates=self._templates,
            room=self.ledger.room(caps) if self.ledger and caps else None,
        )

    def caps(self, row: Enrolment, channel: str) -> Caps | None:
        """What holds back messages to somebody; None for what people carry themselves."""
        account = self.records.account_for(row, channel)
        if account is None or channel == LinkedInStep.channel:
            return None
        document = self.records.published[row.version_id].document
        return Caps.of(document, account.pk, row.sender_id)

    def keys(self, rows: Iterable[Enrolment]) -> set[str]:
        """The keys of all quotas that may hold messages to these people back."""
        found = (
            self.caps(row, channel)
            for row in rows
            for channel in channels_in([self.records.published[row.version_id]])
        )
        return {key for caps in found if caps for key in caps.keys}

    def _state_of(self, account: Account | None) -> tuple[AccountState, str]:
        if account is None:
            return AccountState.GONE, ""
        if account.pk not in self._states:
            self._states[account.pk] = _state_of(account)
        return self._states[account.pk]

    def _standing(self, channel: str, address: str) -> Standing:
        known = self.records.standings.get((channel, address))
        if known is None:
            return Standing.NO_BASIS
        if known.bounced_at:
            return Standing.BOUNCED
        if known.opted_out_at:
            return Standing.OPTED_OUT
        return Standing.ALLOWED if known.basis else Standing.NO_BASIS

    def _needs_template(self, row: Enrolment, channel: str, account: Account) -> bool:
        hours = window_hours(account)
        if hours is None:
            return False
        conversation = self.records.conversations.get((row.lead_id, channel))
        key = (conversation.pk, account.pk) if conversation else None
        written_at = self.records.windows.get(key) if key else None
        return written_at is None or written_at + timedelta(hours=hours) <= self.records.now

    def _standings_of(self, lead: Lead) -> list[KnownStanding]:
        """What is known of all of somebody's addresses."""
        known = self.records.standings
        return [
            known[channel.value, address]
            for channel in Channel
            for address in self.records.addresses_of(lead, channel)
            if (channel.value, address) in known
        ]

    def _away_until(
        self, row: Enrolment, calendar: Calendar, where: Whereabouts
    ) -> datetime | None:
        absence = self.records.absences.get(row.lead_id)
        if absence is None or absence.heard_at < row.enrolled_at:
            return None
        facts = Facts(calendar, where.zone)
        try:
            return return_from_absence(absence.returns_on, absence.heard_at, facts)
        except NeverOpens:
            # Whatever is next will say so.
            return None


def _state_of(account: Account) -> tuple[AccountState, str]:
    try:
        transport_named(account.transport)
    except TransportError:
        return AccountState.GONE, ""
    if not account.is_active:
        return AccountState.GONE, ""
    if account.stopped_at:
        return AccountState.STOPPED, account.stopped_reason
    deaf = hears(account)
    return (AccountState.DEAF, deaf) if deaf else (AccountState.READY, "")


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    return max(filter(None, moments), default=None)


def _signals(done: Sequence[Execution]) -> dict[UUID, frozenset[Signal]]:
    return {
        each.step: frozenset(signal for signal, name in SIGNALS.items() if getattr(each, name))
        for each in done
    }


SIGNALS = {
    Signal.REPLIED: "replied_at",
    Signal.OPENED: "opened_at",
    Signal.CLICKED: "clicked_at",
}
