"""Booking meetings with leads."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from leads.models import Lead, Meeting
from leads.services.leads import lock_lead
from leads.services.moments import wrong_moment
from salesflow.accounts.models import User

LONGEST_TITLE = 200


@transaction.atomic
def book_meeting(
    lead: Lead,
    *,
    starts_at: datetime,
    title: str,
    booked_by: User | None = None,
    source: str = "",
    external_id: str = "",
) -> Meeting:
    """Keep that a meeting with a lead was arranged; publishes `meeting.booked`.

    Args:
        booked_by: the colleague who has; None: the lead, or a program.
        source: which program told of it; empty: a person.
        external_id: what that calls it. Told once more of the lead it is the meeting that there
            is, at the time and with the title that it has now.

    Raises:
        ValidationError: under "title", "starts_at" or "external_id".
        Lead.DoesNotExist: the lead was deleted, or belongs to another tenant.
    """
    title = _checked_title(title)
    if wrong := wrong_moment(starts_at):
        raise ValidationError({"starts_at": wrong})
    if len(external_id) > 200 or "\x00" in external_id:
        raise ValidationError({"external_id": _("An id holds up to 200 characters.")})
    lead = lock_lead(lead)
    if external_id and (known := _known_meeting(lead, source, external_id)):
        known.starts_at, known.title = starts_at, title
        known.save(update_fields=["starts_at", "title"])
        return known
    meeting = Meeting(
        lead=lead,
        starts_at=starts_at,
        title=title,
        booked_by=booked_by,
        source=source,
        external_id=external_id,
    )
    meeting.save()
    return meeting


def _known_meeting(lead: Lead, source: str, external_id: str) -> Meeting | None:
    rows = Meeting.objects.filter(lead=lead, source=source, external_id=external_id)
    known: Meeting | None = rows.first()
    return known


def _checked_title(title: str) -> str:
    title = title.strip()
    if not title:
        raise ValidationError({"title": _("Say what the meeting is about.")})
    if len(title) > LONGEST_TITLE:
        raise ValidationError({"title": _("A title holds up to 200 characters.")})
    if "\x00" in title:
        raise ValidationError({"title": _("Null characters are not allowed.")})
    return title
