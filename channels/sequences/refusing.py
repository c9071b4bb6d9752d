"""Who does not come into a sequence, and why."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from channels.models import AddressStanding, Channel, Identity
from channels.queries import addresses_of
from channels.sequences import models
from channels.sequences.models import Enrolment
from channels.sequences.plans import LinkedInStep, MessageStep
from channels.sequences.versions import Published
from leads.models import Lead


class Refusal(TextChoices):
    """Why a lead does not come into a sequence."""

    GONE = "gone", _("is not there any more")
    CLOSED = "closed", _("is won or lost")
    ALREADY = "already", _("is in it already")
    BEFORE = "before", _("was in it before")
    TOO_SOON = "too_soon", _("was in it not long ago")
    NO_ADDRESS = "no_address", _("has no address that it writes to")
    BROKEN = "broken", _("was kept out by a fault in SalesFlow")
    UNWANTED = "unwanted", _("has opted out, or bounced")


def refusals_of(
    leads: Sequence[Lead], sequence: models.Sequence, version: Published, at: datetime
) -> dict[UUID, Refusal]:
    """Who of these leads would not come in, and why, in a constant number of queries."""
    before = _history_of(leads, sequence)
    reaches = _reaches_of(leads, version)
    found = {}
    for lead in leads:
        refusal = (
            (None if lead.is_open else Refusal.CLOSED)
            or _refusal_by_history(before.get(lead.pk, ()), version.document.re_enrol_after, at)
            or reaches.get(lead.pk)
        )
        if refusal:
            found[lead.pk] = refusal
    return found


class _Stay(NamedTuple):
    """A time that a lead was in a sequence."""

    state: str
    finished_at: datetime | None


def _history_of(leads: Sequence[Lead], sequence: models.Sequence) -> Mapping[UUID, list[_Stay]]:
    rows = Enrolment.objects.filter(sequence=sequence, lead__in=leads)
    found: dict[UUID, list[_Stay]] = defaultdict(list)
    for lead_id, *stay in rows.values_list("lead_id", "state", "finished_at"):
        found[lead_id].append(_Stay(*stay))
    return found


def _refusal_by_history(
    stays: Iterable[_Stay], again_after: int | None, at: datetime
) -> Refusal | None:
    stays = list(stays)
    if any(stay.state != Enrolment.State.FINISHED for stay in stays):
        return Refusal.ALREADY
    if not stays:
        return None
    if again_after is None:
        return Refusal.BEFORE
    last = max(stay.finished_at or at for stay in stays)
    return Refusal.TOO_SOON if last + timedelta(days=again_after) > at else None


def _reaches_of(leads: Sequence[Lead], version: Published) -> dict[UUID, Refusal]:
    """Who can be reached on none of the channels on which it writes; who has opted out there."""
    steps = (step for step in version.plan.steps if isinstance(step, MessageStep | LinkedInStep))
    channels = {step.channel for step in steps}
    if not channels:
        return {}
    hidden = _hidden_channels(leads, channels)
    known = {
        (lead.pk, channel): address
        for lead in leads
        for channel in channels
        for address in addresses_of(lead, channel)[:1]
    }
    closed = _closed_addresses(channels, known.values())
    found = {}
    for lead in leads:
        own = {(c, known[lead.pk, c]) for c in channels if (lead.pk, c) in known}
        if hidden.get(lead.pk) or own - closed:
            continue
        found[lead.pk] = Refusal.UNWANTED if own else Refusal.NO_ADDRESS
    return found


def _hidden_channels(leads: Sequence[Lead], channels: Collection[str]) -> dict[UUID, list[str]]:
    """Channels on which a vendor shows us no address of somebody, but knows them."""
    if Channel.WHATSAPP not in channels:
        return {}
    rows = Identity.objects.filter(lead__in=leads, account__channel__in=channels)
    pairs = sorted(rows.values_list("lead_id", "account__channel"))
    return {lead_id: [c for _id, c in own] for lead_id, own in groupby(pairs, lambda pair: pair[0])}


def _closed_addresses(channels: Collection[str], addresses: Iterable[str]) -> set[tuple[str, str]]:
    rows = AddressStanding.objects.filter(channel__in=channels, address__in={*addresses})
    gone = rows.exclude(opted_out_at=None, bounced_at=None)
    return {*gone.values_list("channel", "address")}
