"""Hundreds of messages at once: by the rules of one, in as many statements."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels.models import Account, Channel, Conversation, Message, MessageStatus, Purpose
from channels.sequences.reading import lock_free_leads
from channels.services import MessageDraft, Refusal, queue_messages, record_status, send_message
from channels.services.accounts import connect_account, default_account
from channels.services.consent import mark_bounced, opt_in, opt_out
from channels.services.conversations import close_conversation
from channels.services.queueing import answered_subject
from channels.testing import carried_by
from events.models import Event
from leads.models import Lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.factories import (
    ScriptedTransport,
    make_inbound_message,
    make_message,
    make_reachable_lead,
)
from tests.events.threads import at_once
from tests.factories import make_tenant, make_user

pytestmark = pytest.mark.usefixtures("tenant")


class Windowed(ScriptedTransport):
    """Takes everything, but free text for a day alone."""

    window_hours: int | None = 24


def draft(lead: Lead | None = None, **fields: Any) -> MessageDraft:
    """An e-mail to `lead`, or to a new one."""
    given = {"channel": Channel.EMAIL, "body": "Hello", **fields}
    return MessageDraft(lead or make_reachable_lead(), **given)


def queued(*drafts: MessageDraft) -> list[Message]:
    """The messages of drafts of which none is refused."""
    outcomes = queue_messages(drafts)
    assert not [each.error for each in outcomes if isinstance(each, Refusal)]
    return [each for each in outcomes if isinstance(each, Message)]


def refused(given: MessageDraft) -> Refusal:
    """Why a draft is refused."""
    [outcome] = queue_messages([given])
    assert isinstance(outcome, Refusal)
    return outcome


def statements_for(drafts: list[MessageDraft]) -> int:
    """How many statements it takes to queue them."""
    with CaptureQueriesContext(connection) as seen:
        queued(*drafts)
    return len(seen)


# --- The same for one and for many --------------------------------------------------------------


def test_many_take_as_many_statements_as_one() -> None:
    drafts = [draft() for _lead in range(50)]
    one, many = statements_for(drafts[:1]), statements_for(drafts[1:])
    assert many <= one
    assert many <= 16
    assert Message.objects.count() == Event.objects.filter(type="message.queued").count() == 50


def test_leads_that_are_held_are_not_read_again() -> None:
    drafts = [draft() for _lead in range(3)]
    leads = lock_free_leads(each.lead.pk for each in drafts)
    drafts = [replace(each, lead=leads[each.lead.pk]) for each in drafts]
    with CaptureQueriesContext(connection) as seen:
        outcomes = queue_messages(drafts, holds_leads=True)
    messages = [each for each in outcomes if isinstance(each, Message)]
    assert [each.lead for each in messages] == [each.lead for each in drafts]
    assert not [each["sql"] for each in seen if 'FROM "leads_' in each["sql"]]


def test_order_is_kept_and_each_has_its_event() -> None:
    leads = [make_reachable_lead() for _lead in range(3)]
    messages = queued(*(draft(lead, body=lead.name) for lead in reversed(leads)))
    assert [message.lead for message in messages] == leads[::-1]
    assert [message.body for message in messages] == [lead.name for lead in leads[::-1]]
    told = Event.objects.filter(type="message.queued").order_by("position")
    assert [event.payload["message_id"] for event in told] == [str(row.pk) for row in messages]


def test_nothing_at_all_is_nothing() -> None:
    assert queue_messages([]) == []


def test_two_messages_to_one_lead_share_a_conversation_in_their_order() -> None:
    lead = make_reachable_lead()
    first, second = queued(draft(lead, body="one"), draft(lead, body="two"))
    assert first.conversation_id == second.conversation_id
    assert first.created_at < second.created_at
    assert Conversation.objects.get().last_message_at == second.created_at


def test_message_is_as_send_message_would_have_made_it() -> None:
    author = make_user()
    mails: dict[str, Any] = {
        "body": " Hello ",
        "subject": " Offer ",
        "author": author,
        "details": {"a": 1},
    }
    lead, other = make_reachable_lead(), make_reachable_lead()
    sent = send_message(lead, channel="email", cc=["Bob@example.com"], **mails)
    [row] = queued(draft(other, cc=["Bob@example.com"], **mails))
    kept = Message.objects.get(pk=row.pk)
    same = ("body", "subject", "author", "details", "cc", "account", "status", "purpose", "type")
    for name in same:
        assert getattr(kept, name) == getattr(sent, name), name


def test_conversation_that_was_closed_is_open_again() -> None:
    row = make_message().conversation
    close_conversation(row)
    queued(draft(row.lead))
    assert Conversation.objects.get().state == Conversation.State.OPEN


def test_campaign_opens_no_conversations() -> None:
    closed, fresh = make_message().conversation, make_reachable_lead()
    close_conversation(closed)
    for lead in (closed.lead, fresh):
        opt_in(lead, channel="email", address=lead.emails[0], basis="consent", source="manual")
    marketing = [draft(lead, purpose=Purpose.MARKETING) for lead in (closed.lead, fresh)]
    messages = queued(*marketing)
    assert {row.state for row in Conversation.objects.all()} == {Conversation.State.CLOSED}
    dates = {row.pk: row.last_message_at for row in Conversation.objects.all()}
    assert dates[messages[0].conversation_id] >= messages[0].created_at
    queued(*marketing, draft(fresh))
    states = dict(Conversation.objects.values_list("lead", "state"))
    assert states == {closed.lead_id: "closed", fresh.pk: "open"}


def test_linkedin_is_prepared_for_a_person() -> None:
    lead = make_reachable_lead(profiles=["linkedin.com/in/ada"])
    [message] = queued(draft(lead, channel="linkedin"))
    assert message.status == MessageStatus.PREPARED
    assert not Event.objects.filter(type="message.queued").exists()


# --- Refusals -----------------------------------------------------------------------------------


def test_one_that_is_refused_leaves_the_others_alone() -> None:
    good, bad = make_reachable_lead(), make_reachable_lead()
    outcomes = queue_messages([draft(good), draft(bad, body=" "), draft(good, body="again")])
    assert [type(each) for each in outcomes] == [Message, Refusal, Message]
    assert Message.objects.count() == 2
    assert not Conversation.objects.filter(lead=bad).exists()


def opted_out() -> MessageDraft:
    lead = make_reachable_lead()
    opt_out(lead, channel="email", address=lead.emails[0], source="manual")
    return draft(lead)


def bounced() -> MessageDraft:
    lead = make_reachable_lead()
    mark_bounced(lead, channel="email", address=lead.emails[0], hard=True, reason="gone")
    return draft(lead)


def deleted() -> MessageDraft:
    lead = make_reachable_lead()
    Lead.objects.filter(pk=lead.pk).delete()
    return draft(lead)


def foreign() -> MessageDraft:
    with tenant_context(make_tenant()):
        return draft()


def without_account() -> MessageDraft:
    Account.objects.filter(channel="email").update(is_default=False, is_active=False)
    return draft()


@pytest.mark.parametrize(
    ("make", "code", "field"),
    [
        (opted_out, "opted_out", "to_address"),
        (bounced, "bounced", "to_address"),
        (lambda: draft(purpose=Purpose.MARKETING), "no_basis", "to_address"),
        (lambda: draft(channel="whatsapp"), "no_address", "channel"),
        (without_account, "no_account", "channel"),
        (deleted, "no_lead", "lead"),
        (foreign, "no_lead", "lead"),
        (lambda: draft(channel="pigeon"), "invalid", "channel"),
        (lambda: draft(to_address="stranger@example.com"), "invalid", "to_address"),
        (lambda: draft(answers=make_message()), "invalid", "answers"),
    ],
)
def test_refusal_says_why_in_words_and_by_name(
    make: Callable[[], MessageDraft], code: str, field: str
) -> None:
    refusal = refused(make())
    assert (refusal.code, list(refusal.error.message_dict)) == (code, [field])
    assert refusal.error.messages[0]


def test_closed_window_takes_templates_alone() -> None:
    with carried_by(Windowed(None), Channel.EMAIL):
        late, fresh = make_reachable_lead(), make_reachable_lead()
        account, yesterday = default_account("email"), timezone.now() - timedelta(hours=25)
        make_inbound_message(late, account=account, received_at=yesterday)
        make_inbound_message(fresh, account=account)
        stranger = make_reachable_lead()
        outcomes = queue_messages([draft(late), draft(fresh), draft(stranger)])
        codes = [each.code if isinstance(each, Refusal) else "" for each in outcomes]
        assert codes == ["window_closed", "", "window_closed"]
        queued(draft(late, message_type="template"))


def test_send_message_raises_what_a_refusal_says() -> None:
    given = opted_out()
    with pytest.raises(ValidationError) as caught:
        send_message(given.lead, channel="email", body="Hello")
    assert caught.value.message_dict == refused(given).error.message_dict


# --- Threads ------------------------------------------------------------------------------------


def arrived(message: Message) -> Message:
    """The message, known to the other side by an id."""
    Message.objects.filter(pk=message.pk).update(vendor_id=f"mid:{message.pk}")
    return record_status(message.pk, MessageStatus.SENT)


def test_mail_answers_the_last_one_unless_it_says_which_or_that_it_is_new() -> None:
    lead = make_reachable_lead()
    first = arrived(make_message(lead, subject="Offer"))
    last = arrived(make_message(lead, subject="Something else"))
    by_itself, told, new = queued(
        draft(lead), draft(lead, answers=first), draft(lead, is_new_thread=True)
    )
    assert by_itself.in_reply_to_id == last.pk
    assert (told.in_reply_to_id, told.subject) == (first.pk, "Re: Offer")
    assert (new.in_reply_to_id, new.subject) == (None, "")


def test_answer_keeps_the_subject_that_it_is_given() -> None:
    first = arrived(make_message(subject="Re: Offer"))
    own, theirs = queued(
        draft(first.lead, answers=first, subject="Well?"), draft(first.lead, answers=first)
    )
    assert (own.subject, theirs.subject) == ("Well?", "Re: Offer")


# --- Accounts -----------------------------------------------------------------------------------


def test_each_goes_out_through_its_account() -> None:
    with carried_by(ScriptedTransport(None), Channel.EMAIL):
        other = connect_account(
            channel="email", transport="scripted", name="Other", is_default=False
        )
        lead = make_reachable_lead()
        make_inbound_message(lead, account=other)
        default = default_account("email")
        through = [row.account for row in queued(draft(), draft(account=other), draft(lead))]
        assert through == [default, other, other]
        Account.objects.filter(pk=other.pk).update(is_active=False)
        assert [row.account for row in queued(draft(account=other), draft(lead))] == [default] * 2


@pytest.mark.parametrize(
    ("basis", "told", "tracks"),
    [
        ("consent", {"purpose": Purpose.MARKETING}, True),
        ("consent", {}, False),
        ("consent", {"purpose": Purpose.MARKETING, "cc": ["bob@example.com"]}, False),
        ("contract", {"purpose": Purpose.MARKETING}, False),
        ("legitimate_interest", {"purpose": Purpose.MARKETING}, False),
    ],
)
def test_only_marketing_to_one_who_has_consented_is_tracked(
    basis: str, told: dict[str, Any], tracks: bool
) -> None:
    lead = make_reachable_lead()
    opt_in(lead, channel="email", address=lead.emails[0], basis=basis, source="manual")
    [message] = queued(draft(lead, tracks=True, **told))
    assert message.tracks is tracks


@pytest.mark.parametrize(
    ("subject", "answered"),
    [
        ("Offer", "Re: Offer"),
        ("Re: Offer", "Re: Offer"),
        ("AW: Re: AW: Offer", "Re: Offer"),
        ("RE[2]: Offer", "Re: Offer"),
        ("Reference: 12", "Re: Reference: 12"),
        ("Awards: the list", "Re: Awards: the list"),
        ("x" * 200, f"Re: {'x' * 196}"),
    ],
)
def test_subject_of_an_answer_begins_with_one_re(subject: str, answered: str) -> None:
    assert answered_subject(subject) == answered


# --- At once ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_batches_over_the_same_leads_in_opposite_orders_do_not_block_each_other(
    tenant: Tenant,
) -> None:
    leads = [make_reachable_lead() for _lead in range(20)]
    orders = [leads, leads[::-1]]

    def write() -> None:
        order = orders.pop()
        with tenant_context(tenant):
            for _time in range(5):
                queued(*map(draft, order))

    at_once(2, write)
    assert Message.objects.count() == 200
    assert Conversation.objects.count() == 20
