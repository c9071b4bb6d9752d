"""Sequences and their versions: written, edited, cloned and laid aside.

Each verb locks its sequence, so that of two people one is told that the other was faster. A version
that is published never changes any more: what is edited is a draft, which takes its place for those
who come in later.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from channels.sequences import models
from channels.sequences.documents import Document
from channels.sequences.editing import copied
from channels.sequences.models import Version
from channels.sequences.payloads import SequenceUpdated
from channels.sequences.plans import Plan
from channels.sequences.queries import people_in
from events import publish
from events.audit import record
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User

State = models.Sequence.State
LONGEST_NAME = 100


@dataclass(frozen=True)
class Published:
    """A version as the engine reads it.

    Attributes:
        plan: its steps; its name is the sequence's when this process first read it.
        document: what the steps were written down in, with the settings.
    """

    plan: Plan
    document: Document


def published(version_id: UUID) -> Published:
    """A version by its id. Published ones never change, and are read once by each process.

    A draft is read as well, each time anew: the preview asks for it.

    Raises:
        Version.DoesNotExist: there is no such version.
    """
    try:
        return _read_published(version_id)
    except Version.DoesNotExist:
        return read_version(Version.objects.select_related("sequence").get(pk=version_id))


@lru_cache(maxsize=1024)
def _read_published(version_id: UUID) -> Published:
    # Of any tenant: who asks has the id from a row of their own.
    rows = Version.unscoped.select_related("sequence").filter(published_at__isnull=False)
    return read_version(rows.get(pk=version_id))


def read_version(version: Version) -> Published:
    """A version as the engine reads it, published or not."""
    document = Document.model_validate(version.content)
    return Published(document.plan(version), document)


def draft_of(sequence: models.Sequence) -> Version | None:
    """The version that is edited, if one is."""
    rows = Version.objects.filter(sequence=sequence, published_at__isnull=True)
    draft: Version | None = rows.select_related("sequence").first()
    return draft


@transaction.atomic
def create_sequence(
    name: str, *, owner: User | None = None, document: Document | None = None
) -> models.Sequence:
    """A new sequence, with a draft of its first version.

    Raises:
        ValidationError: under "name".
    """
    sequence = models.Sequence(name=_checked_name(name), owner=owner)
    _save(sequence)
    content = (document or Document()).model_dump(mode="json")
    Version.objects.create(sequence=sequence, number=1, content=content)
    return sequence


@transaction.atomic
def rename_sequence(sequence: models.Sequence, name: str) -> models.Sequence:
    """Give a sequence another name.

    Raises:
        ValidationError: under "name".
    """
    sequence = lock_sequence(sequence.pk)
    sequence.name = _checked_name(name)
    _save(sequence)
    _tell(sequence)
    return sequence


@transaction.atomic
def clone_sequence(
    sequence: models.Sequence, name: str, *, owner: User | None = None
) -> models.Sequence:
    """A new sequence with the same steps, of the draft where there is one; nobody is in it.

    Raises:
        ValidationError: under "name".
    """
    original = draft_of(sequence) or sequence.published
    assert original
    document = copied(Document.model_validate(original.content))
    return create_sequence(name, owner=owner, document=document)


@transaction.atomic
def edit_draft(
    sequence: models.Sequence,
    change: Callable[[Document], Document],
    *,
    revision: int | None = None,
) -> Version:
    """Change what a sequence will consist of; where there is no draft yet, one is begun.

    Args:
        revision: of the draft as the editor knows it, 0 where there was none; None overwrites
            whatever is there.

    Raises:
        ValidationError: with the code "stale" when somebody else has edited it meanwhile; or as
            `change` raises it.
    """
    sequence = lock_sequence(sequence.pk)
    draft = draft_of(sequence)
    if revision is not None and revision != (draft.revision if draft else 0):
        raise ValidationError(_("Somebody changed this sequence in the meantime."), code="stale")
    draft = draft or _begin_draft(sequence)
    edited = change(Document.model_validate(draft.content))
    draft.content, draft.revision = edited.model_dump(mode="json"), draft.revision + 1
    draft.save()
    sequence.save(update_fields=["changed_at"])
    return draft


@transaction.atomic
def discard_draft(sequence: models.Sequence) -> None:
    """Throw away what was edited since the last publication; a first draft stays."""
    sequence = lock_sequence(sequence.pk)
    if sequence.published_id:
        Version.objects.filter(sequence=sequence, published_at__isnull=True).delete()


@transaction.atomic
def archive_sequence(sequence: models.Sequence, *, actor: User | None) -> bool:
    """Let nobody come in any more; those under way go on. Whether that changed anything.

    Raises:
        ValidationError: under "state": it is paused, and those in it would go on.
    """
    sequence = lock_sequence(sequence.pk)
    if sequence.state == State.PAUSED:
        _refuse_held(sequence)
    return any(
        enter_state(sequence, state, State.ARCHIVED, actor)
        for state in (State.ACTIVE, State.PAUSED)
    )


@transaction.atomic
def restore_sequence(sequence: models.Sequence, *, actor: User | None) -> bool:
    """Use an archived sequence again; whether that changed anything.

    Raises:
        ValidationError: under "name": another one has been given its name.
    """
    return enter_state(lock_sequence(sequence.pk), State.ARCHIVED, State.ACTIVE, actor)


@transaction.atomic
def delete_sequence(sequence: models.Sequence) -> None:
    """Delete a sequence that was never published.

    Raises:
        ValidationError: it was: what was done in it is to be read for ever.
    """
    sequence = lock_sequence(sequence.pk)
    if sequence.published_id:
        raise ValidationError(_("It was published: it can be archived, not deleted."))
    sequence.delete()


def lock_sequence(sequence_id: UUID) -> models.Sequence:
    """The sequence as it is in the database, locked until the transaction ends.

    Raises:
        Sequence.DoesNotExist: it was deleted, or belongs to another tenant than the current one.
    """
    # Enrolments may be inserted meanwhile: their foreign keys need the row to stay, and no more.
    rows = models.Sequence.objects.select_for_update(no_key=True)
    sequence: models.Sequence = rows.get(pk=sequence_id)
    return sequence


def enter_state(sequence: models.Sequence, before: State, after: State, actor: User | None) -> bool:
    """Let a sequence that the caller holds be in another state, and tell it.

    Returns:
        Whether it was in the state `before`.
    """
    if sequence.state != before:
        return False
    sequence.state = after
    _save(sequence)
    _tell(sequence)
    record(f"sequence.{VERBS[after]}", sequence, actor=actor, tenant=current_tenant())
    return True


def _begin_draft(sequence: models.Sequence) -> Version:
    last = Version.objects.filter(sequence=sequence).order_by("-number").first()
    assert last
    draft: Version = Version.objects.create(
        sequence=sequence, number=last.number + 1, content=last.content, revision=0
    )
    return draft


def _refuse_held(sequence: models.Sequence) -> None:
    people = people_in([sequence])[sequence.pk]
    if not people.under_way:
        return
    text = ngettext(
        "%(n)s lead waits in this paused sequence and would be written to again: "
        "take it out first, or let the sequence go on.",
        "%(n)s leads wait in this paused sequence and would be written to again: "
        "take them out first, or let the sequence go on.",
        people.under_way,
    )
    raise ValidationError({"state": text % {"n": people.shown["under_way"]}})


def _tell(sequence: models.Sequence) -> None:
    publish(SequenceUpdated(sequence_id=sequence.pk, sequence=sequence.name, state=sequence.state))


VERBS = {State.ACTIVE: "resumed", State.PAUSED: "paused", State.ARCHIVED: "archived"}


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name:
        raise ValidationError({"name": _("Give it a name.")})
    if len(name) > LONGEST_NAME:
        raise ValidationError({"name": _("A name holds up to 100 characters.")})
    return name


def _save(sequence: models.Sequence) -> None:
    try:
        with transaction.atomic():
            sequence.save()
    except IntegrityError:
        raise ValidationError({"name": _("There is a sequence of this name.")}) from None
