"""Mails become messages on leads: whose, in which thread, and what they do to a conversation."""

from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from channels.models import (
    Account,
    AccountTrial,
    AddressStanding,
    Automatic,
    Channel,
    Conversation,
    Direction,
    Inbound,
    Message,
    MessageStatus,
)
from channels.receiving import store_inbound, take_in
from channels.transports.mail.identifiers import vendor_id_of
from events.testing import assert_published, published
from leads.models import Lead, Meeting
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_reachable_lead
from tests.channels.mail.corpus import Specimen, corpus
from tests.channels.mail.corpus.bounces import dsn
from tests.channels.mail.corpus.specimen import ANN, DATE, OUR_ID, REPORT, mail, mail_of, part
from tests.channels.mail.factories import CONVERSATION, MESSAGE, OURS, make_mail_account
from tests.factories import make_tenant, make_user

# When the corpus's mails came in.
TOLD_AT = parsedate_to_datetime(DATE)
CORPUS = {each.name: each for each in corpus()}


@pytest.fixture
def account(tenant: Tenant) -> Account:
    """Our mailbox."""
    return make_mail_account()


def write_to_ann(lead: Lead, **fields: Any) -> Message:
    """The message of ours that the corpus answers."""
    conversation = Conversation.objects.create(pk=CONVERSATION, lead=lead, channel=Channel.EMAIL)
    given = {
        "pk": MESSAGE,
        "conversation": conversation,
        "lead": lead,
        "channel": Channel.EMAIL,
        "direction": Direction.OUTBOUND,
        "status": MessageStatus.SENT,
        "address": "ann@example.com",
        "subject": "Hello",
        "body": "How are you?",
        "vendor_id": vendor_id_of(OUR_ID),
        "references": OUR_ID,
        "attempts": 1,
    }
    message: Message = Message.objects.create(**given | fields)
    return message


def receive(account: Account, body: bytes) -> Message | None:
    """Take a mail in; the message that it became."""
    before = set(Message.objects.values_list("pk", flat=True))
    inbound = store_inbound(account, body)
    assert inbound
    take_in(inbound.pk)
    new: Message | None = Message.objects.exclude(pk__in=before).first()
    return new


def test_whole_corpus_is_taken_in_twice_and_every_thread_is_right(account: Account) -> None:
    lead = make_reachable_lead("ann@example.com", name="Ann Archer")
    sent = write_to_ann(lead)
    inbounds = [(each, store_inbound(account, each.body)) for each in CORPUS.values()]
    for specimen, inbound in inbounds:
        # What opts out, or bounces, would change what the others find.
        AddressStanding.objects.all().delete()
        assert inbound, specimen.name
        take_in(inbound.pk)
    assert Lead.objects.filter(contact_points__value="ann@example.com").get() == lead
    first = list(Message.objects.values_list("pk", flat=True))
    wrong = [each.name for each, _inbound in inbounds if not _is_in_its_thread(each, sent)]
    assert wrong == []
    for _specimen, inbound in inbounds:
        assert inbound
        take_in(inbound.pk)
    assert list(Message.objects.values_list("pk", flat=True)) == first


def _is_in_its_thread(specimen: Specimen, sent: Message) -> bool:
    """Whether what a mail answers, by its label, is what its message answers."""
    if specimen.answers != OUR_ID or specimen.kind == REPORT:
        return True
    body = {"subject": specimen.subject} if specimen.subject else {}
    rows = Message.objects.filter(in_reply_to=sent, conversation=sent.conversation, **body)
    return bool(rows.filter(automatic=specimen.kind).exists())


def test_stranger_becomes_a_lead_with_name_and_address(account: Account) -> None:
    message = receive(account, mail("Hi", From="Bob Brown <Bob@Example.com>", Subject="Prices?"))
    assert message
    assert (message.lead.name, message.lead.emails) == ("Bob Brown", ["bob@example.com"])
    assert (message.subject, message.conversation.unread) == ("Prices?", 1)


@pytest.mark.parametrize("name", ["mailchimp, en", "nobody reads it", "null return path", "qmail"])
def test_nobody_becomes_a_lead_for_what_no_person_wrote(account: Account, name: str) -> None:
    assert receive(account, CORPUS[name].body) is None
    assert Lead.objects.count() == 0


@pytest.mark.parametrize("name", ["away, exchange, de", "arrived, auto-replied, en"])
def test_automatic_answer_stands_in_the_thread_and_changes_nothing_else(
    account: Account, name: str
) -> None:
    sent = write_to_ann(make_reachable_lead("ann@example.com"))
    state = Conversation.State.CLOSED
    Conversation.objects.update(state=state)
    message = receive(account, CORPUS[name].body)
    assert message
    assert message.conversation_id == sent.conversation_id
    conversation = Conversation.objects.get()
    assert (conversation.state, conversation.unread, conversation.waiting_since) == (state, 0, None)
    assert published("message.received")[0].payload["automatic"] == message.automatic


def test_out_of_office_tells_when_the_person_is_back(account: Account) -> None:
    write_to_ann(make_reachable_lead("ann@example.com"))
    message = receive(account, CORPUS["away, gmail, fr"].body)
    assert message
    assert message.details["returns_at"].startswith("2025-05-24")


def acceptance(event: str, method: str = "REPLY", state: str = "ACCEPTED") -> bytes:
    """A mail by which Ann answers an invitation."""
    calendar = f"""\
BEGIN:VCALENDAR
METHOD:{method}
BEGIN:VEVENT
UID:meeting-1@example.com
ATTENDEE;CN=Ann;PARTSTAT={state}:mailto:ann@example.com
{event}
END:VEVENT
END:VCALENDAR
"""
    return mail_of(part("Yes."), part(calendar, "text/calendar"), kind="alternative")


@pytest.mark.parametrize(
    ("event", "at"),
    [
        ("DTSTART:20250520T100000Z", "2025-05-20T10:00:00+00:00"),
        ("DTSTART;TZID=Europe/Berlin:20250520T100000", "2025-05-20T08:00:00+00:00"),
        ('DTSTART;X=1;TZID="Europe/Berlin":20250520T100000', "2025-05-20T08:00:00+00:00"),
        ("DTSTART;TZID=W. Europe Standard Time:20250520T100000", "2025-05-20T10:00:00+00:00"),
        ("DTSTART;TZID=../../etc/passwd:20250520T100000", "2025-05-20T10:00:00+00:00"),
        ("DTSTART;VALUE=DATE:20250520", "2025-05-20T00:00:00+00:00"),
    ],
)
def test_invitation_that_they_accept_is_a_meeting(account: Account, event: str, at: str) -> None:
    lead = make_reachable_lead("ann@example.com")
    message = receive(account, acceptance(f"SUMMARY:Demo\n{event}"))
    assert message
    meeting = Meeting.objects.get()
    assert (meeting.lead, meeting.title, meeting.source) == (lead, "Demo", "mail")
    assert meeting.starts_at.isoformat() == at
    take_in(Inbound.objects.get().pk)
    assert Meeting.objects.count() == len(published("meeting.booked")) == 1


@pytest.mark.parametrize(
    ("event", "given"),
    [
        ("DTSTART:20250520T100000Z", {"state": "DECLINED"}),
        ("DTSTART:20250520T100000Z", {"method": "REQUEST"}),
        ("DTSTART:20259920T100000Z", {}),
        ("DTSTART:00010101T000000Z", {}),
        ("DTSTART" + ";TZID=x" * 5000 + ":soon", {}),
        ("SUMMARY:no time", {}),
    ],
)
def test_what_is_no_acceptance_is_no_meeting(
    account: Account, event: str, given: dict[str, str]
) -> None:
    make_reachable_lead("ann@example.com")
    assert receive(account, acceptance(event, **given))
    assert not Meeting.objects.exists()


def test_meeting_with_a_strange_name_is_kept(account: Account) -> None:
    make_reachable_lead("ann@example.com")
    receive(account, acceptance("SUMMARY:" + "x" * 500 + "\nDTSTART:20250520T100000Z"))
    assert Meeting.objects.get().title == "x" * 200


def test_hard_bounce_fails_the_message_and_closes_the_address(account: Account) -> None:
    sent = write_to_ann(make_reachable_lead("ann@example.com"))
    bounce = receive(account, CORPUS["postfix 5.1.1 message/rfc822"].body)
    sent.refresh_from_db()
    assert (sent.status, "User doesn't exist" in sent.error) == (MessageStatus.FAILED, True)
    standing = AddressStanding.objects.get(address="ann@example.com")
    assert standing.bounced_at
    assert_published("address.bounced", hard=True)
    # It stands in the thread, and asks nobody for an answer.
    assert bounce
    assert (bounce.automatic, bounce.in_reply_to) == (Automatic.BOUNCE, sent)
    assert Conversation.objects.get().unread == 0


def test_bounce_for_a_reason_of_ours_leaves_the_address_alone(account: Account) -> None:
    sent = write_to_ann(make_reachable_lead("ann@example.com"))
    receive(account, CORPUS["postfix 5.7.1 message/rfc822"].body)
    sent.refresh_from_db()
    assert sent.status == MessageStatus.FAILED
    assert not AddressStanding.objects.filter(bounced_at__isnull=False).exists()


def test_full_mailbox_does_not_close_the_address_at_once(account: Account) -> None:
    write_to_ann(make_reachable_lead("ann@example.com"))
    receive(account, CORPUS["postfix 5.2.2 message/rfc822"].body)
    standing = AddressStanding.objects.get(address="ann@example.com")
    assert (standing.bounced_at, standing.soft_bounces) == (None, 1)


def test_bounce_settles_a_message_of_which_nobody_knew(account: Account) -> None:
    sent = write_to_ann(make_reachable_lead("ann@example.com"), status=MessageStatus.UNKNOWN)
    receive(account, CORPUS["gmail"].body)
    sent.refresh_from_db()
    assert sent.status == MessageStatus.FAILED


def test_bounce_whose_message_id_was_replaced_still_finds_its_message(account: Account) -> None:
    sent = write_to_ann(make_reachable_lead("ann@example.com"))
    receive(account, CORPUS["ses with its own message-id"].body)
    sent.refresh_from_db()
    assert sent.status == MessageStatus.FAILED


def bounce_without_names() -> bytes:
    """A report that anybody could have written."""
    lines = CORPUS["exchange de no original"].body.split(b"\r\n")
    return b"\r\n".join(line for line in lines if OUR_ID.encode() not in line)


def test_bounce_that_names_no_mail_fails_the_last_one_and_closes_nothing(account: Account) -> None:
    """Whoever knows to whom we write could else keep us from writing to them."""
    given = {"account": account, "created_at": TOLD_AT - timedelta(days=1)}
    sent = write_to_ann(make_reachable_lead("ann@example.com"), **given)
    bounce = receive(account, bounce_without_names())
    sent.refresh_from_db()
    assert sent.status == MessageStatus.FAILED
    assert "names the address, but no mail" in sent.error
    assert not AddressStanding.objects.exists()
    assert bounce
    assert (bounce.automatic, bounce.in_reply_to) == (Automatic.BOUNCE, sent)


@pytest.mark.parametrize("late", [timedelta(days=-6), timedelta(minutes=1)])
def test_bounce_that_names_no_mail_is_about_none_that_is_too_old_or_newer(
    account: Account, late: timedelta
) -> None:
    given = {"account": account, "created_at": TOLD_AT + late}
    sent = write_to_ann(make_reachable_lead("ann@example.com"), **given)
    assert receive(account, bounce_without_names()) is None
    sent.refresh_from_db()
    assert sent.status == MessageStatus.SENT


def test_bounced_copy_does_not_fail_the_message(account: Account) -> None:
    sent = write_to_ann(make_reachable_lead("ann@example.com"), cc=["bob@example.com"])
    body = dsn(
        sender="MAILER-DAEMON@mx.example.com",
        subject="Undelivered Mail Returned to Sender",
        words="failed",
        address="bob@example.com",
    )
    receive(account, body)
    sent.refresh_from_db()
    assert sent.status == MessageStatus.SENT
    assert AddressStanding.objects.get(bounced_at__isnull=False).address == "bob@example.com"


def test_late_mail_is_no_failure(account: Account) -> None:
    sent = write_to_ann(make_reachable_lead("ann@example.com"))
    receive(account, CORPUS["late mail, postfix"].body)
    sent.refresh_from_db()
    assert sent.status == MessageStatus.SENT
    assert not AddressStanding.objects.exists()


def test_receipts_advance_the_message(account: Account) -> None:
    sent = write_to_ann(make_reachable_lead("ann@example.com"))
    assert receive(account, CORPUS["delivered"].body) is None
    assert receive(account, CORPUS["read receipt"].body) is None
    sent.refresh_from_db()
    assert (sent.status, bool(sent.delivered_at)) == (MessageStatus.READ, True)


def test_complaint_opts_out(account: Account) -> None:
    write_to_ann(make_reachable_lead("ann@example.com"))
    assert receive(account, CORPUS["complaint"].body) is None
    standing = AddressStanding.objects.get()
    assert (standing.address, standing.opt_out_source) == ("ann@example.com", "complaint")


def test_complaint_about_no_mail_of_ours_opts_nobody_out(account: Account) -> None:
    write_to_ann(make_reachable_lead("ann@example.com"))
    told = "Feedback-Type: abuse\nOriginal-Rcpt-To: ann@example.com\n"
    original = "To: ann@example.com\nMessage-ID: <1@x.com>\n\nHi"
    parts = [part("Spam!"), part(told, "message/feedback-report")]
    parts += [part(original, "message/rfc822")]
    assert receive(account, mail_of(*parts, kind="report", From="m@example.org")) is None
    assert not AddressStanding.objects.exists()


def test_bounce_of_a_trial_is_told_with_the_trial(account: Account) -> None:
    trial = AccountTrial(account=account, kind="send", address="nobody@example.com")
    trial.save()
    trial_id = f"<{trial.pk}.1@acme.example.com>"
    body = CORPUS["postfix 5.1.1 message/rfc822"].body
    body = body.replace(OUR_ID.encode(), trial_id.encode())
    receive(account, body.replace(str(MESSAGE).encode(), str(trial.pk).encode()))
    trial.refresh_from_db()
    assert (trial.has_worked, "User doesn't exist" in trial.answer) == (False, True)


def test_form_that_writes_in_the_mailboxs_name_is_its_writers(account: Account) -> None:
    form = {"From": f"Website <{OURS}>", "Reply_To": "Bob Brown <bob@example.com>"}
    message = receive(account, mail("A quote, please.", **form))
    assert message
    assert (message.lead.name, message.address) == ("Bob Brown", "bob@example.com")
    own = OURS.replace("@", "+token@")
    assert receive(account, mail("A copy", From=OURS, Reply_To=own)) is None
    assert receive(account, mail("Another", From=OURS)) is None


def test_stop_as_the_whole_answer_opts_out_and_within_a_sentence_does_not(account: Account) -> None:
    write_to_ann(make_reachable_lead("ann@example.com"))
    receive(account, mail("Please do not stop sending offers."))
    assert not AddressStanding.objects.filter(opted_out_at__isnull=False).exists()
    receive(account, mail("STOP\n\nOn 1 May 2025, Sales <s@x.com> wrote:\n> Hi"))
    assert AddressStanding.objects.get().opt_out_source == "keyword"


def test_message_id_of_another_mail_does_not_swallow_this_one(account: Account) -> None:
    """Whoever knows the Message-ID of a mail could else keep it from being taken in."""
    write_to_ann(make_reachable_lead("ann@example.com"))
    forged = receive(account, mail("from Mallory", From="m@example.org", Message_ID="<1@x.com>"))
    real = receive(account, mail("from Ann", Message_ID="<1@x.com>"))
    ours = receive(account, mail("as if ours", Message_ID=OUR_ID))
    assert [each and each.body for each in (forged, real, ours)] == [
        "from Mallory",
        "from Ann",
        "as if ours",
    ]


def test_same_mail_by_two_ways_comes_in_once(account: Account) -> None:
    body = mail("Hi", Message_ID="<1@x.com>")
    assert receive(account, b"Received: from a by b; Mon, 12 May 2025 10:00:00 +0000\r\n" + body)
    assert (
        receive(account, b"Received: from c by b; Mon, 12 May 2025 10:00:09 +0000\r\n" + body)
        is None
    )


def test_mail_of_a_colleague_makes_no_lead(account: Account, tenant: Tenant) -> None:
    make_user(tenant, email="colleague@acme.example.com")
    assert receive(account, mail("FYI", From="colleague@acme.example.com")) is None
    assert Lead.objects.count() == 0


def test_answer_of_a_colleague_to_all_is_no_word_of_the_leads(
    account: Account, tenant: Tenant
) -> None:
    lead = make_reachable_lead("ann@example.com")
    write_to_ann(lead)
    colleague = make_user(tenant, email="colleague@acme.example.com")
    told = {"In_Reply_To": OUR_ID, "Cc": "ann@example.com"}
    assert receive(account, mail("I see to it.", From=colleague.email, **told)) is None
    # Whoever tries things on themselves is a lead of their own.
    make_reachable_lead(colleague.email)
    assert receive(account, mail("Hi", From=colleague.email))


def test_files_are_kept_with_the_message(account: Account) -> None:
    message = receive(account, CORPUS["three levels"].body)
    assert message
    files = {file.name: file for file in message.attachments.all()}
    assert set(files) == {"file", "Prüfung.pdf"}
    assert bytes(files["Prüfung.pdf"].content.data) == b"%PDF-1.7"
    assert files["file"].content_id == "pic@x"


def test_file_that_is_too_large_is_named_with_the_reason(account: Account) -> None:
    message = receive(account, CORPUS["16 MB in one file"].body)
    assert message
    [film] = message.attachments.all()
    assert (film.name, film.status) == ("film.mp4", "refused")
    assert "15 MB" in film.reason


def test_mail_of_another_tenants_conversation_does_not_reach_it(
    account: Account, tenant: Tenant
) -> None:
    with tenant_context(make_tenant()):
        theirs = write_to_ann(make_reachable_lead("ann@example.com"))
    message = receive(account, CORPUS["by its address"].body)
    assert message
    assert message.tenant == tenant
    assert message.conversation_id != theirs.conversation_id
    assert Message.unscoped.filter(conversation=theirs.conversation_id).count() == 1


def test_answers_are_taken_in_by_the_handler(
    account: Account, django_capture_on_commit_callbacks: Any, settle_events: Callable[[], int]
) -> None:
    store_inbound(account, mail("Hi", From=ANN))
    settle_events()
    assert Message.objects.get().body == "Hi"
    assert Inbound.objects.count() == 1
    assert OURS not in Message.objects.get().cc
