"""Windows of time as bounds of ids, from which every index of the log can begin.

Ids rise with time, but they are made by a publisher's clock before the database records the event:
within a minute as a rule, after hours where a transaction takes long. Those that strayed have an
index of their own, which is all but empty: so a window need not begin a day early to be exact.
"""

from datetime import datetime, timedelta
from uuid import UUID

from events.models import Event
from events.models.event import STRAYS
from salesflow.accounts.ids import CLOCKS_DIFFER, first_uuid7_of

# Beyond this, all are strays: a minute, and what rounding takes.
MARGIN = timedelta(minutes=2)


def first_id_since(moment: datetime) -> UUID:
    """No event that was recorded at that time or later has a lower id; one query."""
    near = first_uuid7_of(moment, -MARGIN)
    strays = Event.unscoped.filter(
        STRAYS,
        id__gte=first_uuid7_of(moment, -CLOCKS_DIFFER),
        id__lt=near,
        created_at__gte=moment,
    )
    found: UUID | None = strays.order_by("id").values_list("id", flat=True).first()
    return found or near


def end_of_ids_before(moment: datetime) -> UUID:
    """All events that were recorded before that time have lower ids; one query."""
    near = first_uuid7_of(moment, MARGIN)
    strays = Event.unscoped.filter(
        STRAYS,
        id__gte=near,
        id__lt=first_uuid7_of(moment, CLOCKS_DIFFER),
        created_at__lt=moment,
    )
    found: UUID | None = strays.order_by("-id").values_list("id", flat=True).first()
    return UUID(int=found.int + 1) if found else near
