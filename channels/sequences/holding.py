"""Enrolments held by whoever is not the engine: handlers, and what mends.

One order of locks for all of them: leads, so that nobody deletes one meanwhile; enrolments by their
ids; quotas; messages. The engine holds enrolments first, and passes over leads that are held, so
it waits for nobody here.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db.models import Q

from channels.sequences.models import Enrolment
from events.rows import fetch_rows

# Not against the engine, which changes nothing that a foreign key asks for.
KEEP_LEADS = "SELECT id FROM leads_lead WHERE id = ANY(%(ids)b) ORDER BY id FOR KEY SHARE"


def hold_open(lead_ids: Iterable[UUID]) -> list[Enrolment]:
    """The enrolments of leads of the current tenant that have not finished, locked."""
    wanted = {*lead_ids}
    return _hold(wanted, Q(lead__in=wanted)) if wanted else []


def hold_waiting(waiting_ids: Collection[UUID]) -> list[Enrolment]:
    """The enrolments that wait for these messages or tasks, locked."""
    return hold_where(Q(waiting_id__in=waiting_ids)) if waiting_ids else []


def hold_where(condition: Q) -> list[Enrolment]:
    """The enrolments of the current tenant of which that is so and that have not finished, locked.

    Whose is so no more once it is held is left out.
    """
    rows = Enrolment.objects.filter(condition).exclude(state=Enrolment.State.FINISHED)
    wanted = set(rows.values_list("lead_id", flat=True))
    return _hold(wanted, condition) if wanted else []


def _hold(leads: set[UUID], condition: Q) -> list[Enrolment]:
    fetch_rows(KEEP_LEADS, {"ids": sorted(leads)})
    rows = Enrolment.objects.filter(condition, lead__in=leads)
    held = rows.exclude(state=Enrolment.State.FINISHED).order_by("pk")
    return list(held.select_for_update(no_key=True))
