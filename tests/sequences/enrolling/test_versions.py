"""Versions: edited by one at a time, published for ever, cloned, paused and laid aside."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from channels.models import Message
from channels.sequences.by_hand import take_out
from channels.sequences.documents import Document
from channels.sequences.editing import removed
from channels.sequences.models import Enrolment, Sequence, Version
from channels.sequences.pausing import pause_all, pause_sequence, resume_sequence
from channels.sequences.payloads import SequenceUpdated
from channels.sequences.publishing import NotPublishable, publish_version
from channels.sequences.versions import (
    archive_sequence,
    clone_sequence,
    create_sequence,
    delete_sequence,
    discard_draft,
    draft_of,
    edit_draft,
    published,
    rename_sequence,
    restore_sequence,
)
from events.models import AuditLine, Event
from events.testing import assert_published
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_message
from tests.factories import make_tenant, make_user
from tests.sequences.engine.factories import enrol_one, mail, make_sequence, task

pytestmark = pytest.mark.usefixtures("tenant")


def say(text: str) -> Callable[[Document], Document]:
    """An edit that leaves one mail, which says this."""
    return lambda document: document.model_copy(update={"steps": (mail(text),)})


def names(error: pytest.ExceptionInfo[ValidationError]) -> list[str]:
    return list(error.value.message_dict)


def refreshed(sequence: Sequence) -> Sequence:
    found: Sequence = Sequence.objects.select_related("published").get(pk=sequence.pk)
    return found


def test_new_sequence_is_a_draft_without_steps() -> None:
    owner = make_user()
    sequence = create_sequence("  Welcome ", owner=owner)
    draft = draft_of(sequence)
    assert (sequence.name, sequence.state, sequence.owner) == ("Welcome", "draft", owner)
    assert draft
    assert (draft.number, draft.content["steps"], sequence.published) == (1, [], None)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as error:
        create_sequence(name)
    assert names(error) == ["name"]


def test_name_is_there_once_but_for_archived_ones() -> None:
    old = make_sequence(mail())
    with pytest.raises(ValidationError) as error:
        create_sequence(old.name.upper())
    assert names(error) == ["name"]
    archive_sequence(old, actor=None)
    create_sequence(old.name)
    with pytest.raises(ValidationError) as error:
        restore_sequence(old, actor=None)
    assert names(error) == ["name"]


def test_names_of_another_team_are_free() -> None:
    create_sequence("Welcome")
    with tenant_context(make_tenant()):
        assert create_sequence("Welcome").name == "Welcome"


def test_edit_begins_a_draft_and_leaves_what_is_published() -> None:
    sequence = make_sequence(mail("Old"))
    before = sequence.published
    assert before
    draft = edit_draft(sequence, say("New"), revision=0)
    assert (draft.number, draft.revision) == (2, 1)
    assert before.content == Version.objects.get(pk=before.pk).content
    assert published(before.pk).plan.steps[0].variants[0].body == "Old"  # type: ignore[union-attr]


def test_second_of_two_editors_is_told_so() -> None:
    sequence = create_sequence("Welcome")
    draft = draft_of(sequence)
    assert draft
    edit_draft(sequence, say("Mine"), revision=draft.revision)
    with pytest.raises(ValidationError) as error:
        edit_draft(sequence, say("Yours"), revision=draft.revision)
    assert error.value.code == "stale"
    published_already = make_sequence(mail())
    edit_draft(published_already, say("Mine"), revision=0)
    with pytest.raises(ValidationError):
        edit_draft(published_already, say("Yours"), revision=0)


def test_publishing_puts_the_draft_to_use_and_tells_it() -> None:
    actor = make_user()
    sequence = create_sequence("Welcome", document=Document(steps=(mail(),)))
    version = publish_version(sequence, actor=actor)
    sequence = refreshed(sequence)
    assert (sequence.state, sequence.published, draft_of(sequence)) == ("active", version, None)
    assert version.published_by == actor
    assert version.published_at
    event = Event.objects.get(type="sequence.published")
    assert event.payload["sequence_version"] == 1


def test_publishing_names_every_fault() -> None:
    document = Document(steps=(mail("Hello {{ fist_name }}"), task("")))
    sequence = create_sequence("Welcome", document=document)
    with pytest.raises(NotPublishable) as error:
        publish_version(sequence)
    assert [fault.step for fault in error.value.faults] == [each.key for each in document.steps]
    assert refreshed(sequence).state == "draft"


def test_publishing_nothing_new_is_refused() -> None:
    sequence = make_sequence(mail())
    with pytest.raises(ValidationError, match="Nothing was changed"):
        publish_version(sequence)
    edit_draft(sequence, lambda document: document)
    with pytest.raises(ValidationError, match="Nothing was changed"):
        publish_version(sequence)


def test_publishing_what_somebody_else_has_edited_is_refused() -> None:
    sequence = create_sequence("Welcome", document=Document(steps=(mail(),)))
    edit_draft(sequence, say("New"))
    with pytest.raises(ValidationError) as error:
        publish_version(sequence, revision=1)
    assert error.value.code == "stale"


def test_who_is_under_way_stays_on_their_version() -> None:
    sequence = make_sequence(mail("Old"))
    enrolment = enrol_one(sequence)
    edit_draft(sequence, say("New"))
    version = publish_version(sequence)
    enrolment.refresh_from_db()
    assert enrolment.version_id != version.pk
    assert enrol_one(refreshed(sequence)).version_id == version.pk


def test_who_has_not_begun_is_taken_along_when_that_is_wanted() -> None:
    sequence = make_sequence(mail("Old"))
    waiting, begun = enrol_one(sequence), enrol_one(sequence)
    Enrolment.objects.filter(pk=begun.pk).update(steps_done=1)
    edit_draft(sequence, say("New"))
    version = publish_version(sequence, takes_along=True)
    waiting.refresh_from_db()
    begun.refresh_from_db()
    assert (waiting.version_id, waiting.step) == (version.pk, published(version.pk).plan.first)
    assert begun.version_id == sequence.published_id


def test_published_version_is_read_once_and_a_draft_each_time() -> None:
    sequence = make_sequence(mail("Old"))
    assert sequence.published_id
    assert published(sequence.published_id) is published(sequence.published_id)
    draft = edit_draft(sequence, say("New"))
    first = published(draft.pk)
    edit_draft(sequence, say("Newer"))
    assert first.document != published(draft.pk).document
    with pytest.raises(Version.DoesNotExist), tenant_context(make_tenant()):
        published(draft.pk)


def test_draft_is_thrown_away_but_not_a_first_one() -> None:
    sequence = make_sequence(mail())
    edit_draft(sequence, say("New"))
    discard_draft(sequence)
    assert draft_of(sequence) is None
    fresh = create_sequence("Fresh")
    discard_draft(fresh)
    assert draft_of(fresh)


def test_clone_has_the_same_steps_under_keys_of_its_own() -> None:
    original = make_sequence(mail("Old"), task())
    enrol_one(original)
    edit_draft(original, lambda document: removed(document, document.steps[1].key))
    twin = clone_sequence(original, "Twin")
    draft = draft_of(twin)
    assert draft
    [step] = Document.model_validate(draft.content).steps
    assert step.variants[0].body == "Old"  # type: ignore[union-attr]
    assert str(step.key) not in str(Version.objects.get(sequence=original, number=1).content)
    assert not Enrolment.objects.filter(sequence=twin).exists()
    with pytest.raises(ValidationError):
        clone_sequence(original, "Twin")


def test_sequence_turns_and_each_turn_leaves_a_line() -> None:
    actor = make_user()
    sequence = make_sequence(mail())
    assert not resume_sequence(sequence, actor=actor)
    for turn, state in (
        (pause_sequence, "paused"),
        (resume_sequence, "active"),
        (archive_sequence, "archived"),
        (restore_sequence, "active"),
    ):
        assert turn(sequence, actor=actor)
        assert refreshed(sequence).state == state
    lines = AuditLine.objects.filter(target_id=str(sequence.pk)).order_by("pk")
    assert [line.action for line in lines] == [
        "sequence.paused",
        "sequence.resumed",
        "sequence.archived",
        "sequence.resumed",
    ]


def test_pausing_takes_back_what_waits_to_go_out() -> None:
    sequence = make_sequence(mail())
    enrolment = enrol_one(sequence)
    message = make_message(enrolment.lead)
    Enrolment.objects.filter(pk=enrolment.pk).update(
        waiting_for="message", waiting_id=message.pk, next_step_at=None
    )
    pause_sequence(sequence, actor=None)
    assert Message.objects.get(pk=message.pk).status == "withdrawn"


def test_paused_sequence_with_people_in_it_is_not_archived() -> None:
    sequence = make_sequence(mail())
    enrolments = [enrol_one(sequence), enrol_one(sequence)]
    pause_sequence(sequence, actor=None)
    with pytest.raises(ValidationError, match="2 leads wait in this paused sequence") as error:
        archive_sequence(sequence, actor=None)
    assert names(error) == ["state"]
    assert refreshed(sequence).state == "paused"
    take_out([each.pk for each in enrolments])
    assert archive_sequence(sequence, actor=None)


def test_all_are_held_at_once() -> None:
    running, paused = make_sequence(mail()), make_sequence(mail())
    pause_sequence(paused, actor=None)
    assert pause_all(actor=None) == 1
    assert refreshed(running).state == "paused"


def test_only_what_was_never_published_is_deleted() -> None:
    with pytest.raises(ValidationError, match="archived, not deleted"):
        delete_sequence(make_sequence(mail()))
    fresh = create_sequence("Fresh")
    delete_sequence(fresh)
    assert not Sequence.objects.filter(pk=fresh.pk).exists()


def test_rename_keeps_the_rest(tenant: Tenant) -> None:
    sequence = make_sequence(mail())
    assert rename_sequence(sequence, "Other").name == "Other"
    assert_published(SequenceUpdated, sequence="Other", state="active")
    assert refreshed(sequence).published_id == sequence.published_id
