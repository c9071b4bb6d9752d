"""Putting a draft to use: from then on its steps are those of whoever comes in."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.sequences import models
from channels.sequences.faults import faults_of
from channels.sequences.models import Enrolment, Version, Waiting
from channels.sequences.payloads import SequencePublished
from channels.sequences.plans import Fault
from channels.sequences.stopping import give_back_places
from channels.sequences.versions import State, draft_of, lock_sequence, read_version
from events import publish
from salesflow.accounts.models import User


class NotPublishable(ValidationError):
    """A draft cannot be published; `faults` say why, step by step."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__([str(fault.reason) for fault in faults])
        self.faults = faults


@transaction.atomic
def publish_version(
    sequence: models.Sequence,
    *,
    revision: int | None = None,
    actor: User | None = None,
    takes_along: bool = False,
) -> Version:
    """Let those who come in from now on begin with the draft.

    Args:
        revision: see `versions.edit_draft`.
        takes_along: those who are in it already, but for whom nothing was done yet, too.

    Raises:
        NotPublishable: with all that is wrong with it.
        ValidationError: with the code "stale"; or there is no draft, or it says nothing new.
    """
    sequence = lock_sequence(sequence.pk)
    draft = _publishable_draft(sequence, revision)
    draft.published_at, draft.published_by = timezone.now(), actor
    draft.save()
    _put_to_use(sequence, draft)
    if takes_along:
        _take_along(sequence, draft)
    return draft


def _publishable_draft(sequence: models.Sequence, revision: int | None) -> Version:
    draft = draft_of(sequence)
    if draft is None:
        raise ValidationError(_("Nothing was changed since the last version."))
    if revision is not None and revision != draft.revision:
        raise ValidationError(_("Somebody changed this sequence in the meantime."), code="stale")
    if sequence.state == State.ARCHIVED:
        raise ValidationError(_("The sequence is archived: use it again first."))
    if sequence.published and sequence.published.content == draft.content:
        raise ValidationError(_("Nothing was changed since the last version."))
    read = read_version(draft)
    if faults := faults_of(read.document, read.plan):
        raise NotPublishable(faults)
    return draft


def _put_to_use(sequence: models.Sequence, version: Version) -> None:
    sequence.published = version
    if sequence.state == State.DRAFT:
        sequence.state = State.ACTIVE
    sequence.save()
    publish(
        SequencePublished(
            sequence_id=sequence.pk,
            sequence=sequence.name,
            sequence_version=version.number,
            state=sequence.state,
        )
    )


def _take_along(sequence: models.Sequence, version: Version) -> None:
    """Nothing was done for them yet: the new version's first step is theirs, and is looked at now.

    What has held them up at the old one may be gone; a place that they had there goes to others.
    """
    fresh = Enrolment.objects.filter(
        sequence=sequence, steps_done=0, waiting_for__in=(Waiting.NOTHING, Waiting.PERSON)
    ).exclude(state=Enrolment.State.FINISHED)
    held = list(fresh.order_by("pk").select_for_update(no_key=True))
    now = timezone.now()
    give_back_places(held, now)
    Enrolment.objects.filter(pk__in=[row.pk for row in held]).update(
        version=version,
        step=read_version(version).plan.first,
        waiting_for=Waiting.NOTHING,
        next_step_at=now,
        place_at=None,
        delay="",
        says="",
    )
