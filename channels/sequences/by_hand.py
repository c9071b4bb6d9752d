"""What people do with who is in a sequence: beside the enrolment itself, its place goes to others.

The engine does the same with many at once, see `stopping`.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from channels.sequences.enrolling import pause_enrolment, stop_enrolments
from channels.sequences.holding import hold_where
from channels.sequences.models import Enrolment
from channels.sequences.stopping import give_back_places


@transaction.atomic
def take_out(ids: Collection[UUID], *, at: datetime | None = None) -> list[Enrolment]:
    """Take leads out of their sequences; those that had not left before."""
    now = at or timezone.now()
    give_back_places(hold_where(Q(pk__in=ids)), now)
    return stop_enrolments(ids, at=now)


@transaction.atomic
def let_wait(enrolment: Enrolment, *, at: datetime | None = None) -> Enrolment:
    """Let a lead wait until somebody lets it go on.

    Raises:
        ValidationError: it is paused, or has finished.
        Enrolment.DoesNotExist: it was deleted, or belongs to another tenant.
    """
    now = at or timezone.now()
    give_back_places(hold_where(Q(pk=enrolment.pk)), now)
    return pause_enrolment(enrolment, at=now)
