"""What people decide about drafts, and what takes their decisions back before anything goes out."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django import Settings

from channels.autopilot.deciding import (
    Outdated,
    approve_draft,
    dismiss_draft,
    edit_draft,
    stop_draft,
)
from channels.autopilot.drafts import request_draft, review_drafts
from channels.autopilot.mending import expire_drafts
from channels.autopilot.models import Draft, Mode
from channels.autopilot.payloads import AutopilotDraftDecided
from channels.autopilot.policies import hold
from channels.autopilot.sending import send_draft
from channels.models import Account, Message, MessageStatus
from channels.services.consent import opt_out
from channels.services.conversations import close_conversation
from channels.services.withdrawing import withdraw_messages
from events import Postpone
from events.testing import assert_published, published, settle_events
from leads.services import delete_lead, lose_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.autopilot.endpoint import Server
from tests.autopilot.factories import make_endpoint
from tests.autopilot.stage import draft_to, let_go, outbound, says, set_rule, writes
from tests.channels.factories import make_inbound_message, make_message
from tests.channels.inbox_factories import make_whatsapp
from tests.factories import make_tenant, make_user

TEXT = "Hello Ada, thank you for your message. We will get back to you."


@pytest.fixture
def ada(tenant: Tenant) -> User:
    return make_user(tenant, name="Ada Rep")


@pytest.fixture
def draft(tenant: Tenant, server: Server, settings: Settings) -> Draft:
    """A draft that waits to be decided."""
    settings.AI_PRIVATE_ADDRESSES = True
    make_endpoint(server)
    says(server, TEXT)
    set_rule(Mode.APPROVE)
    return draft_to(writes("Thanks for the call!", subject="Our call"))


def now_of(draft: Draft) -> Draft:
    found: Draft = Draft.objects.get(pk=draft.pk)
    return found


# --- Approving ----------------------------------------------------------------------------------


def test_approved_draft_goes_out_once_after_it_could_be_stopped(draft: Draft, ada: User) -> None:
    approved = approve_draft(draft.pk, revision=1, actor=ada)
    assert approved.state == Draft.State.APPROVED
    told = {"decision": "approved", "edited": 0.0, "decided_by_id": ada.pk}
    assert_published(AutopilotDraftDecided, draft_id=draft.pk, **told)
    with pytest.raises(Postpone):
        send_draft(draft.pk)
    settle_events()
    assert outbound() == []
    message = let_go(draft)
    assert message
    assert (message.body, message.subject, message.author) == (TEXT, "Re: Our call", ada)
    assert (message.address, message.in_reply_to) == (draft.to_address, draft.based_on)
    assert (now_of(draft).state, now_of(draft).message) == (Draft.State.SENT, message)
    assert let_go(draft) is None
    settle_events()
    assert [each.status for each in outbound()] == [MessageStatus.SENT]


def test_message_carries_when_it_is_too_late(draft: Draft, ada: User) -> None:
    approve_draft(draft.pk, revision=1, actor=ada)
    message = let_go(draft)
    assert message
    assert draft.based_on
    assert message.unless_answered_since == draft.based_on.stored_at


def test_only_the_revision_that_was_read_is_approved(draft: Draft, ada: User) -> None:
    edit_draft(draft.pk, revision=1, body="Hello, better.", actor=make_user(draft.tenant))
    with pytest.raises(Outdated, match="changed it"):
        approve_draft(draft.pk, revision=1, actor=ada)
    with pytest.raises(Outdated, match="changed it"):
        edit_draft(draft.pk, revision=1, body="Mine.", actor=ada)
    assert approve_draft(draft.pk, revision=2, actor=ada).body == "Hello, better."


def test_of_two_who_approve_one_does(draft: Draft, ada: User) -> None:
    approve_draft(draft.pk, revision=1, actor=ada)
    with pytest.raises(Outdated, match="decided"):
        approve_draft(draft.pk, revision=1, actor=make_user(draft.tenant))
    let_go(draft)
    with pytest.raises(Outdated, match="decided"):
        dismiss_draft(draft.pk, actor=ada)
    assert len(outbound()) == 1


def test_edit_takes_an_approval_back(draft: Draft, ada: User) -> None:
    approve_draft(draft.pk, revision=1, actor=ada)
    edited = edit_draft(draft.pk, revision=1, body="Wait.", actor=ada)
    assert (edited.state, edited.revision, edited.send_after) == (Draft.State.PENDING, 2, None)
    assert let_go(draft) is None
    assert outbound() == []


def test_edited_share_is_told(draft: Draft, ada: User) -> None:
    edit_draft(draft.pk, revision=1, body=TEXT.replace("Ada", "Grace"), actor=ada)
    approve_draft(draft.pk, revision=2, actor=ada)
    [event] = published(AutopilotDraftDecided, decision="approved")
    assert 0 < event.payload["edited"] < 0.2


def test_stopped_draft_does_not_go(draft: Draft, ada: User) -> None:
    approve_draft(draft.pk, revision=1, actor=ada)
    assert stop_draft(draft.pk).state == Draft.State.PENDING
    assert let_go(draft) is None
    with pytest.raises(Outdated):
        stop_draft(draft.pk)
    # It can be approved again, and then goes once, though it was told twice.
    approve_draft(draft.pk, revision=1, actor=ada)
    settle_events()
    let_go(draft)
    let_go(draft)
    assert len(outbound()) == 1


def test_dismissed_draft_does_not_go(draft: Draft, ada: User) -> None:
    dismiss_draft(draft.pk, reason="tone", actor=ada)
    assert now_of(draft).state == Draft.State.DISMISSED
    assert_published(AutopilotDraftDecided, decision="dismissed", decided_by_id=ada.pk)
    with pytest.raises(Outdated):
        approve_draft(draft.pk, revision=1, actor=ada)


def test_draft_that_a_colleague_has_changed_or_approved_is_not_dismissed(
    draft: Draft, ada: User
) -> None:
    edit_draft(draft.pk, revision=1, body="Hello, better.", actor=make_user(draft.tenant))
    with pytest.raises(Outdated, match="changed it"):
        dismiss_draft(draft.pk, revision=1, actor=ada)
    approve_draft(draft.pk, revision=2, actor=ada)
    for revision in (2, None):
        with pytest.raises(Outdated, match="decided"):
            dismiss_draft(draft.pk, revision=revision, actor=ada)
    assert now_of(draft).state == Draft.State.APPROVED
    stop_draft(draft.pk)
    assert dismiss_draft(draft.pk, revision=2, actor=ada).state == Draft.State.DISMISSED


def test_in_draft_mode_the_editor_comes_first(draft: Draft, ada: User) -> None:
    set_rule(Mode.DRAFT)
    with pytest.raises(ValidationError, match="only drafts"):
        approve_draft(draft.pk, revision=1, actor=ada)
    edit_draft(draft.pk, revision=1, body=TEXT, actor=ada)
    assert approve_draft(draft.pk, revision=2, actor=ada).state == Draft.State.APPROVED


def test_draft_to_who_instructs_the_assistant_needs_the_editor(draft: Draft, ada: User) -> None:
    Draft.objects.filter(pk=draft.pk).update(flags=["instructs"])
    with pytest.raises(ValidationError, match="instruct the assistant"):
        approve_draft(draft.pk, revision=1, actor=ada)
    edit_draft(draft.pk, revision=1, body=TEXT, actor=ada)
    approve_draft(draft.pk, revision=2, actor=ada)


def test_nothing_is_approved_where_it_is_off(draft: Draft, ada: User) -> None:
    set_rule(Mode.OFF)
    with pytest.raises(ValidationError, match="off in this"):
        approve_draft(draft.pk, revision=1, actor=ada)


def test_another_tenants_draft_is_not_there(draft: Draft, ada: User) -> None:
    with tenant_context(make_tenant()):
        attempts: list[Callable[[], object]] = [
            lambda: approve_draft(draft.pk, revision=1, actor=ada),
            lambda: edit_draft(draft.pk, revision=1, body="x", actor=ada),
            lambda: dismiss_draft(draft.pk, actor=ada),
            lambda: stop_draft(draft.pk),
        ]
        for attempt in attempts:
            with pytest.raises(Draft.DoesNotExist):
                attempt()
        assert send_draft(draft.pk) is None


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("body", {"body": " "}),
        ("body", {"body": "x" * 10_001}),
        ("body", {"body": "a\x00"}),
        ("subject", {"body": "x", "subject": "a\r\nBcc: all@example.com"}),
        ("subject", {"body": "x", "subject": "x" * 201}),
    ],
)
def test_wrong_edit_is_named(draft: Draft, ada: User, field: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        edit_draft(draft.pk, revision=1, actor=ada, **given)
    assert list(caught.value.error_dict) == [field]
    assert now_of(draft).revision == 1


# --- What happens between the approval and the sending -------------------------------------------


def again(draft: Draft) -> None:
    make_inbound_message(draft.lead, body="Forget it.")


def elsewhere(draft: Draft) -> None:
    draft.lead.contact_points.create(kind="phone", value="+4930901820", is_primary=True)
    make_whatsapp("Forget it.", lead=draft.lead)


def answered(draft: Draft) -> None:
    make_message(draft.lead, body="I did it by hand.")


def closed(draft: Draft) -> None:
    close_conversation(draft.conversation)


def lost(draft: Draft) -> None:
    lose_lead(draft.lead, reason="gone")


def opted_out(draft: Draft) -> None:
    at = timezone.now() + timedelta(seconds=1)
    opt_out(draft.lead, channel="email", address=draft.to_address, source="manual", at=at)


def disconnected(draft: Draft) -> None:
    Account.objects.filter(channel="email").update(is_active=False, is_default=False)


def switched_off(draft: Draft) -> None:
    set_rule(Mode.OFF)


def held(draft: Draft) -> None:
    hold(is_held=True, actor=None)


def moved(draft: Draft) -> None:
    draft.lead.contact_points.all().delete()


def deleted_question(draft: Draft) -> None:
    Message.objects.filter(pk=draft.based_on_id).delete()


def too_old(draft: Draft) -> None:
    Draft.objects.filter(pk=draft.pk).update(good_until=timezone.now() - timedelta(hours=1))


EVENTS = [
    again, elsewhere, answered, closed, lost, opted_out, disconnected, switched_off, held, moved,
    deleted_question, too_old,
]  # fmt: skip


@pytest.mark.parametrize("happens", EVENTS)
def test_what_happens_in_between_keeps_it_back(
    draft: Draft, ada: User, happens: Callable[[Draft], None]
) -> None:
    approve_draft(draft.pk, revision=1, actor=ada)
    happens(draft)
    before = len(outbound())
    # Without any handler having run: the last look is in the sending itself.
    assert let_go(draft) is None
    assert len(outbound()) == before
    found = now_of(draft)
    assert found.state in (Draft.State.PENDING, Draft.State.SUPERSEDED)
    assert found.reason


@pytest.mark.parametrize("happens", [again, elsewhere, answered, closed, lost, opted_out])
def test_handlers_take_the_approval_back_at_once(
    draft: Draft, ada: User, server: Server, happens: Callable[[Draft], None]
) -> None:
    set_rule(Mode.APPROVE, drafts=False)
    approve_draft(draft.pk, revision=1, actor=ada)
    happens(draft)
    settle_events()
    assert now_of(draft).state in (Draft.State.PENDING, Draft.State.SUPERSEDED)


@pytest.mark.parametrize(
    "happens", [again, elsewhere, answered, closed, lost, opted_out, disconnected]
)
def test_outdated_draft_is_not_approved(
    draft: Draft, ada: User, happens: Callable[[Draft], None]
) -> None:
    happens(draft)
    with pytest.raises(Outdated):
        approve_draft(draft.pk, revision=1, actor=ada)


def test_what_came_in_on_another_channel_is_named(draft: Draft, ada: User) -> None:
    elsewhere(draft)
    with pytest.raises(Outdated, match="on another channel since"):
        approve_draft(draft.pk, revision=1, actor=ada)
    again(draft)
    with pytest.raises(Outdated, match="written again since"):
        approve_draft(draft.pk, revision=1, actor=ada)


def test_draft_that_is_asked_for_in_spite_of_another_channel_goes_out(
    draft: Draft, ada: User
) -> None:
    elsewhere(draft)
    request_draft(draft.conversation, asked_by=ada)
    settle_events()
    anew = Draft.objects.get(conversation=draft.conversation, state=Draft.State.PENDING)
    approve_draft(anew.pk, revision=1, actor=ada)
    message = let_go(anew)
    settle_events()
    assert message
    message.refresh_from_db()
    assert message.status == MessageStatus.SENT


def test_what_comes_in_elsewhere_after_it_was_asked_for_holds_it(draft: Draft, ada: User) -> None:
    request_draft(draft.conversation, asked_by=ada)
    elsewhere(draft)
    settle_events()
    anew = Draft.objects.get(conversation=draft.conversation, state=Draft.State.PENDING)
    with pytest.raises(Outdated, match="on another channel since"):
        approve_draft(anew.pk, revision=1, actor=ada)


def test_automatic_answer_changes_nothing(draft: Draft, ada: User) -> None:
    approve_draft(draft.pk, revision=1, actor=ada)
    make_inbound_message(draft.lead, body="Away.", automatic="out_of_office")
    assert review_drafts(draft.lead_id) == 0
    assert let_go(draft)


def test_draft_whose_message_was_withdrawn_says_so(draft: Draft, ada: User) -> None:
    approve_draft(draft.pk, revision=1, actor=ada)
    message = let_go(draft)
    assert message
    withdraw_messages([message.pk], "answered")
    settle_events()
    assert now_of(draft).state == Draft.State.FAILED
    assert now_of(draft).reason


def test_message_is_withdrawn_where_they_wrote_before_it_went(draft: Draft, ada: User) -> None:
    approve_draft(draft.pk, revision=1, actor=ada)
    message = let_go(draft)
    assert message
    again(draft)
    settle_events()
    message.refresh_from_db()
    assert message.status == MessageStatus.WITHDRAWN


def test_deleted_lead_takes_its_drafts_along(draft: Draft, ada: User) -> None:
    approve_draft(draft.pk, revision=1, actor=ada)
    delete_lead(draft.lead)
    assert send_draft(draft.pk) is None
    settle_events()
    assert outbound() == []


def test_draft_that_nobody_decides_about_expires(draft: Draft) -> None:
    assert expire_drafts() == 0
    assert expire_drafts(at=timezone.now() + timedelta(hours=71)) == 0
    too_old(draft)
    assert expire_drafts() == 1
    assert now_of(draft).state == Draft.State.EXPIRED
    assert_published(AutopilotDraftDecided, decision="expired")
