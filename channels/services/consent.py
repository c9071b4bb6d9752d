"""Whom we may write to: recorded with proof, asked before a message is queued and again before it
is sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels.models import (
    AddressStanding,
    Channel,
    ConsentRecord,
    Conversation,
    Direction,
    LawfulBasis,
    Message,
    MessageStatus,
    Purpose,
)
from channels.payloads import AddressBounced, ContactOptedIn, ContactOptedOut
from channels.queries import addresses_of, hidden_addresses_of
from channels.statuses import PROGRESS
from events import publish
from leads.models import Lead
from salesflow.accounts.models import User

# Soft bounces in a row after which an address is taken for gone.
MOST_SOFT_BOUNCES = 5
Decision = ConsentRecord.Decision


class Told(TypedDict, total=False):
    """How a decision became known.

    Attributes:
        proof: what shows it, such as the words and the message's id.
        actor: the colleague who recorded it.
        at: when they said so, by somebody who may tell it late, twice and in any order: the same
            decision of the same moment is recorded once, and one that they have changed since
            changes nothing. Without it they say so now.
    """

    proof: Mapping[str, Any] | None
    actor: User | None
    at: datetime | None


@transaction.atomic
def opt_out(
    lead: Lead | None, *, channel: str, address: str, source: str, **told: Unpack[Told]
) -> ConsentRecord:
    """Record that a person does not want to be written to; publishes `contact.opted_out`.

    Args:
        lead: None: they are none, or not yet.
        address: in normal form.
        source: such as "keyword", "unsubscribe_link", "whatsapp_preference", "manual".
        told: see `Told`.
    """
    standing, at = _locked_standing(channel, address), told.get("at")
    record, is_news = _record(standing, Decision.WITHDRAWN, lead, source, told)
    is_late = bool(at and standing.allowed_at and at < standing.allowed_at)
    if not is_news or is_late or not record.said_at:
        return record
    was_out_at = standing.opted_out_at
    # Said again, it holds against what they have written in between.
    standing.opted_out_at = max(was_out_at or record.said_at, record.said_at)
    standing.opt_out_source = source
    standing.save()
    if lead and not was_out_at:
        payload = ContactOptedOut(
            lead_id=lead.pk, channel=channel, source=source, record_id=record.pk
        )
        publish(payload, occurred_at=standing.opted_out_at)
    return record


@transaction.atomic
def opt_in(
    lead: Lead | None,
    *,
    channel: str,
    address: str,
    basis: str,
    source: str,
    **told: Unpack[Told],
) -> ConsentRecord:
    """Record that a person allows to be written to, and why; publishes `contact.opted_in`.

    Raises:
        ValidationError: under "basis": unknown, or not consent where the person had opted out.
    """
    if basis not in LawfulBasis.values:
        raise ValidationError({"basis": _("Choose a lawful basis.")})
    standing, at = _locked_standing(channel, address), told.get("at")
    if standing.opted_out_at and basis != LawfulBasis.CONSENT:
        reason = _("They opted out: only their own consent can take that back.")
        raise ValidationError({"basis": reason})
    record, is_news = _record(standing, Decision.GRANTED, lead, source, told, basis)
    if not is_news or (at and standing.opted_out_at and at < standing.opted_out_at):
        return record
    standing.basis, standing.opted_out_at, standing.opt_out_source = basis, None, ""
    standing.allowed_at = record.said_at
    standing.save()
    if lead:
        allowed = {"channel": channel, "source": source, "basis": basis}
        publish(ContactOptedIn(lead_id=lead.pk, record_id=record.pk, **allowed))
    return record


def record_consent(
    lead: Lead,
    *,
    channel: str,
    address: str,
    decision: str,
    basis: str = "",
    words: str = "",
    source: str = "manual",
    actor: User | None = None,
) -> ConsentRecord:
    """Record what somebody has learned of whether a lead may be written to.

    Args:
        decision: a `ConsentRecord.Decision`.
        basis: a `LawfulBasis`, for what is allowed.
        words: what shows it; needed for what is allowed.
        actor: who learned it.

    Raises:
        ValidationError: by `channel`, `address`, `decision`, `basis` or `words`.
    """
    words = words.strip()
    _refuse_foreign(lead, channel, address)
    given: dict[str, Any] = {"channel": channel, "address": address, "source": source}
    given |= {"proof": {"words": words} if words else {}, "actor": actor}
    if decision == Decision.WITHDRAWN:
        return opt_out(lead, **given)
    if decision != Decision.GRANTED:
        raise ValidationError({"decision": _("Say whether it is allowed or forbidden.")})
    if not words:
        raise ValidationError({"words": _("Say what shows it.")})
    return opt_in(lead, basis=basis, **given)


def use_again(lead: Lead, *, channel: str, address: str) -> None:
    """Write to a lead's address again from which messages came back: somebody has mended it.

    Raises:
        ValidationError: under "address": it is none of the lead's.
    """
    _refuse_foreign(lead, channel, address)
    clear_bounce(channel=channel, address=address)


@transaction.atomic
def mark_bounced(
    lead: Lead, *, channel: str, address: str, hard: bool, reason: str, message_id: Any = None
) -> None:
    """Note that mail to an address came back; a hard bounce, or many soft ones, close it."""
    standing = _locked_standing(channel, address)
    standing.bounce_reason = reason
    in_a_row = 0 if _came_through(lead, channel, address, message_id) else standing.soft_bounces
    standing.soft_bounces = 0 if hard else in_a_row + 1
    is_closed = hard or standing.soft_bounces >= MOST_SOFT_BOUNCES
    is_news = is_closed and standing.bounced_at is None
    if is_news:
        standing.bounced_at = timezone.now()
    standing.save()
    if is_news or not is_closed:
        publish(
            AddressBounced(
                lead_id=lead.pk,
                channel=channel,
                hard=is_closed,
                reason=reason,
                message_id=message_id,
            )
        )


def _came_through(lead: Lead, channel: str, address: str, message_id: Any) -> bool:
    """Whether the message before that one has not come back."""
    rows = Message.objects.filter(
        lead=lead, channel=channel, address=address, direction=Direction.OUTBOUND
    )
    this = rows.filter(pk=message_id).first()
    if this is None:
        return False
    earlier = rows.filter(created_at__lt=this.created_at).exclude(status=MessageStatus.WITHDRAWN)
    earlier = earlier.order_by("-created_at", "-id")
    return earlier.values_list("status", flat=True).first() in PROGRESS


def clear_bounce(*, channel: str, address: str) -> None:
    """Write to an address again: somebody has mended it, or a mail came from there."""
    rows = AddressStanding.objects.filter(channel=channel, address=address)
    marked = rows.exclude(bounced_at=None, soft_bounces=0)
    marked.update(bounced_at=None, bounce_reason="", soft_bounces=0)


def standing_of(channel: str, address: str) -> AddressStanding | None:
    """What is known of an address; None: nothing."""
    rows = AddressStanding.objects.filter(channel=channel, address=address)
    found: AddressStanding | None = rows.first()
    return found


def standings_of(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], AddressStanding]:
    """What is known of addresses, in one query.

    Args:
        pairs: of channel and address.
    """
    wanted: dict[str, set[str]] = {}
    for channel, address in pairs:
        wanted.setdefault(channel, set()).add(address)
    meant = Q(pk=None)
    for channel, addresses in wanted.items():
        meant |= Q(channel=channel, address__in=addresses)
    rows = AddressStanding.objects.filter(meant) if wanted else ()
    return {(row.channel, row.address): row for row in rows}


@dataclass(frozen=True)
class Unwanted:
    """Why nothing may be sent to an address.

    Attributes:
        code: no_basis, opted_out or bounced.
    """

    code: str
    reason: Promise


BOUNCED = Unwanted("bounced", _("This address does not take our messages any more."))
OPTED_OUT = Unwanted("opted_out", _("They do not want to be written to on this channel."))
NO_BASIS = Unwanted("no_basis", _("There is no lawful basis for marketing to this address."))


def refusal_of(
    standing: AddressStanding | None, purpose: str, *, written_at: datetime | None
) -> Unwanted | None:
    """Why nothing may be sent to an address of that standing now; None: it may.

    Who opted out is still answered when they write by themselves: a personal message may go as long
    as the lead has written since then.

    Args:
        written_at: when the lead has written last in the conversation.
    """
    is_marketing = purpose == Purpose.MARKETING
    if standing and standing.bounced_at:
        return BOUNCED
    if standing and standing.opted_out_at:
        has_written_since = written_at is not None and written_at > standing.opted_out_at
        return None if has_written_since and not is_marketing else OPTED_OUT
    return NO_BASIS if is_marketing and not (standing and standing.basis) else None


def why_not(
    channel: str, address: str, purpose: str, conversation: Conversation | None
) -> Promise | None:
    """Why nothing may be sent to an address now, in words; None: it may. See `refusal_of`."""
    written_at = conversation.last_inbound_at if conversation else None
    refusal = refusal_of(standing_of(channel, address), purpose, written_at=written_at)
    return refusal.reason if refusal else None


def _refuse_foreign(lead: Lead, channel: str, address: str) -> None:
    if channel not in Channel.values:
        raise ValidationError({"channel": _("There is no such channel.")})
    if address not in (*addresses_of(lead, channel), *hidden_addresses_of(lead, channel)):
        reason = gettext("“%(address)s” is none of the lead's addresses.")
        raise ValidationError({"address": reason % {"address": address}})


def _locked_standing(channel: str, address: str) -> AddressStanding:
    rows = AddressStanding.objects.select_for_update()
    standing: AddressStanding = rows.get_or_create(channel=channel, address=address)[0]
    return standing


def _record(
    standing: AddressStanding,
    decision: str,
    lead: Lead | None,
    source: str,
    told: Told,
    basis: str = "",
) -> tuple[ConsentRecord, bool]:
    """The record of a decision, and whether it is a new one."""
    at, proof = told.get("at"), dict(told.get("proof") or {})
    same = {"channel": standing.channel, "address": standing.address}
    same |= {"decision": decision, "source": source}
    known = ConsentRecord.objects.filter(**same, said_at=at).first() if at else None
    if known:
        return known, False
    record = ConsentRecord(
        **same,
        lead=lead,
        basis=basis,
        proof=proof,
        actor=told.get("actor"),
        said_at=at or timezone.now(),
    )
    record.save()
    return record, True
