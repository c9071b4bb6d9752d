"""The composer: what it sends, holds back, refuses and keeps."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from channels.models import (
    Account,
    Channel,
    Conversation,
    Message,
    MessageStatus,
    MessageTemplate,
    MessageType,
    Replying,
)
from channels.services.consent import opt_out
from channels.services.conversations import assign_conversation
from leads.models import Lead, Note
from leads.services import add_note
from salesflow.accounts.models import Tenant, User
from tests.channels.account_factories import make_scripted_account, scripted
from tests.channels.factories import (
    make_inbound_message,
    make_message,
    make_reachable_lead,
)
from tests.channels.inbox_factories import (
    make_conversation,
    make_template,
    make_whatsapp,
    with_window,
)
from tests.factories import make_user
from tests.web import HTMX, Browser, page_of

pytestmark = pytest.mark.django_db

PROFILE = "https://www.linkedin.com/in/grace"


def composer(lead: Lead) -> str:
    """The address of the composer."""
    return reverse("channels:composer", args=[lead.pk])


def opened(browser: Browser, lead: Lead, channel: str = "email") -> dict[str, Any]:
    """What the form of a fresh composer carries."""
    answer = browser.get(
        composer(lead), {"channel": channel, "mode": channel, "place": "inbox"}, headers=HTMX
    )
    page_of(answer)
    given = {name: answer.context[name] for name in ("key", "seen")}
    return {**given, "channel": channel, "mode": channel, "place": "inbox"}


def send(browser: Browser, lead: Lead, form: dict[str, Any], **given: Any) -> Any:
    """Send the form by htmx."""
    answer = browser.post(composer(lead), {**form, **given}, headers=HTMX)
    assert answer.status_code in (200, 422), answer.content
    if answer.status_code == 200 and "HX-Redirect" not in answer.headers:
        page_of(answer)
    return answer


def test_an_answer_is_queued_and_whoever_wrote_it_takes_care(browser: Browser, rep: User) -> None:
    row = make_conversation(subject="Compilers")
    form = opened(browser, row.lead)
    answer = send(
        browser, row.lead, form, body="Gladly", subject="Re: Compilers", cc="b@example.com"
    )
    assert answer.status_code == 200
    assert "thread-changed" in answer.headers["HX-Trigger"]
    message = Message.objects.get(direction="outbound")
    assert (message.body, message.subject, message.cc) == (
        "Gladly",
        "Re: Compilers",
        ["b@example.com"],
    )
    assert (message.author, message.status) == (rep, MessageStatus.QUEUED)
    row.refresh_from_db()
    assert row.assignee == rep


def test_an_answer_takes_nobodys_conversation_away(
    browser: Browser, rep: User, tenant: Tenant
) -> None:
    row, ben = make_conversation(), make_user(tenant)
    assign_conversation(row, ben)
    send(browser, row.lead, opened(browser, row.lead), body="Hi")
    row.refresh_from_db()
    assert row.assignee == ben


def test_a_form_that_is_sent_twice_goes_once(browser: Browser) -> None:
    row = make_conversation()
    form = opened(browser, row.lead)
    answers = [send(browser, row.lead, form, body="Once") for _number in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert Message.objects.filter(direction="outbound").count() == 1


def test_a_form_whose_answer_was_lost_goes_once_whatever_came_in_since(browser: Browser) -> None:
    row = make_conversation()
    form = opened(browser, row.lead)
    send(browser, row.lead, form, body="Once")
    make_inbound_message(row.lead, body="Thanks!")
    assert send(browser, row.lead, form, body="Once").status_code == 200
    assert Message.objects.filter(direction="outbound").count() == 1


def test_what_was_changed_after_a_lost_answer_is_not_lost_itself(browser: Browser) -> None:
    row = make_conversation()
    form = opened(browser, row.lead)
    send(browser, row.lead, form, body="At noon")
    refused = send(browser, row.lead, form, body="At one")
    assert refused.status_code == 422
    assert "It went as you had written it before." in page_of(refused).text
    assert "At one" in refused.content.decode()
    form["key"] = refused.context["key"]
    assert send(browser, row.lead, form, body="At one").status_code == 200
    sent = Message.objects.filter(direction="outbound").order_by("id")
    assert [message.body for message in sent] == ["At noon", "At one"]


def test_a_refused_form_may_be_sent_again(browser: Browser) -> None:
    row = make_conversation()
    form = opened(browser, row.lead)
    refused = send(browser, row.lead, form, body="   ")
    assert refused.status_code == 422
    assert "Write something." in page_of(refused).text
    assert send(browser, row.lead, form, body="Now").status_code == 200
    assert Message.objects.filter(direction="outbound").count() == 1


@pytest.mark.parametrize("key", ["", "x" * 300, "a\x00b", "../", "0" * 32])
def test_a_key_of_somebody_elses_making_breaks_nothing(browser: Browser, key: str) -> None:
    row = make_conversation()
    form = opened(browser, row.lead) | {"key": key}
    assert send(browser, row.lead, form, body="Hi").status_code == 200
    assert Message.objects.filter(direction="outbound").count() == 1


def test_what_came_in_meanwhile_holds_an_answer_back_once(browser: Browser, tenant: Tenant) -> None:
    row = make_conversation()
    form = opened(browser, row.lead)
    make_inbound_message(row.lead, body="Never mind!")
    held = send(browser, row.lead, form, body="Here is the offer")
    assert held.status_code == 422
    text = page_of(held).text
    assert "Nothing was sent yet" in text
    assert "Never mind!" in text
    assert "Send anyway" in text
    assert "Here is the offer" in held.content.decode()
    assert not Message.objects.filter(direction="outbound").exists()
    form |= {name: held.context[name] for name in ("key", "seen")}
    assert send(browser, row.lead, form, body="Here is the offer").status_code == 200
    assert Message.objects.filter(direction="outbound").count() == 1


def test_a_colleagues_answer_or_note_holds_back_ones_own_do_not(
    browser: Browser, rep: User, tenant: Tenant
) -> None:
    row, ben = make_conversation(), make_user(tenant, name="Ben")
    form = opened(browser, row.lead)
    make_message(row.lead, author=rep)
    add_note(row.lead, "Mine", author=rep)
    assert send(browser, row.lead, form, body="One").status_code == 200
    form = opened(browser, row.lead)
    make_message(row.lead, author=ben, body="I have answered")
    held = send(browser, row.lead, form, body="Two")
    assert held.status_code == 422
    assert "I have answered" in page_of(held).text
    form = opened(browser, row.lead)
    add_note(row.lead, "Do not answer", author=ben)
    assert "Do not answer" in page_of(send(browser, row.lead, form, body="Three")).text


@pytest.mark.parametrize("seen", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_who_says_to_have_seen_nothing_is_held_back(browser: Browser, seen: str) -> None:
    row = make_conversation()
    form = opened(browser, row.lead) | {"seen": seen}
    assert send(browser, row.lead, form, body="Hi").status_code == 422


def test_sending_and_closing_is_one_step(browser: Browser) -> None:
    row = make_conversation()
    send(browser, row.lead, opened(browser, row.lead), body="Bye", then="close")
    row.refresh_from_db()
    assert row.state == Conversation.State.CLOSED


def test_a_switch_of_channel_keeps_what_was_typed(browser: Browser) -> None:
    lead = make_reachable_lead(phone="+4930901820")
    row = make_conversation(lead)
    form = opened(browser, row.lead)
    answer = send(browser, lead, form, body="Half a sent", subject="Hello", switch="whatsapp")
    assert answer.status_code == 200
    assert "Half a sent" in answer.content.decode()
    assert answer.context["mode"] == "whatsapp"
    assert not Message.objects.filter(direction="outbound").exists()
    sent = send(browser, lead, form | {"mode": "whatsapp"}, body="A sentence")
    message = Message.objects.get(direction="outbound")
    assert message.channel == Channel.WHATSAPP
    address = reverse("inbox:conversation", args=[message.conversation_id])
    assert sent.headers["HX-Redirect"] == address


def test_a_composer_is_of_the_channel_that_it_writes_on(browser: Browser) -> None:
    lead = make_reachable_lead(phone="+4930901820")
    make_conversation(lead)
    asked = {"channel": "email", "mode": "whatsapp"}
    answer = browser.get(composer(lead), asked, headers=HTMX)
    assert "subject" not in answer.context["form"].fields
    assert (answer.context["mode"], answer.context["shown"]) == ("whatsapp", "email")


def test_an_answer_begins_with_the_subject_and_everybody_who_read_the_mail(
    browser: Browser, tenant: Tenant
) -> None:
    Account.objects.filter(channel="email").update(address="us@example.com")
    lead = make_reachable_lead("grace@example.com")
    cc = ["us@example.com", "legal@example.com", "GRACE@example.com"]
    row = make_conversation(lead, subject="Contract", cc=cc)
    answer = browser.get(composer(lead), {"channel": "email"}, headers=HTMX)
    values = {field["name"]: field.get("value") for field in page_of(answer).all("input")}
    assert values["subject"] == "Re: Contract"
    assert values["cc"] == "legal@example.com"
    page = page_of(browser.get(reverse("inbox:conversation", args=[row.pk])))
    values = {field["name"]: field.get("value") for field in page.all("input") if "name" in field}
    assert values["subject"] == "Re: Contract"
    make_inbound_message(row.lead, subject="Re: Contract")
    answer = browser.get(composer(lead), {"channel": "email"}, headers=HTMX)
    values = {field["name"]: field.get("value") for field in page_of(answer).all("input")}
    assert values["subject"] == "Re: Contract"


def test_a_wrong_copy_is_named_and_kept(browser: Browser) -> None:
    row = make_conversation()
    answer = send(browser, row.lead, opened(browser, row.lead), body="Hi", cc="nobody")
    assert answer.status_code == 422
    assert 'value="nobody"' in answer.content.decode()


def test_an_open_window_says_how_long_it_stays_open(browser: Browser) -> None:
    with with_window():
        message = make_whatsapp(received_at=timezone.now() - timedelta(hours=1))
        html = browser.get(
            reverse("inbox:conversation", args=[message.conversation_id])
        ).content.decode()
        assert "closes" in html
        assert "data-relative" in html
        sent = send(browser, message.lead, opened(browser, message.lead, "whatsapp"), body="Hi")
        assert sent.status_code == 200


def test_a_closed_window_offers_approved_templates_and_takes_no_text(browser: Browser) -> None:
    approved = make_template(
        name="Back again",
        channel="whatsapp",
        vendor_name="back_again",
        vendor_language="en",
        vendor_status=MessageTemplate.VendorStatus.APPROVED,
        body="Hello {{ first_name }}, any news?",
    )
    make_template(
        name="Industry",
        channel="whatsapp",
        vendor_name="industry",
        vendor_language="en",
        vendor_status=MessageTemplate.VendorStatus.APPROVED,
        body="For {{ custom.industry }}",
    )
    make_template(
        name="Waiting", channel="whatsapp", vendor_name="waits", vendor_language="en", body="Wait"
    )
    with with_window():
        message = make_whatsapp(
            received_at=timezone.now() - timedelta(hours=25), name="Grace Hopper"
        )
        lead = message.lead
        answer = browser.get(
            composer(lead), {"channel": "whatsapp", "place": "inbox"}, headers=HTMX
        )
        page = page_of(answer)
        assert "Hello Grace, any news?" in page.text
        assert "Nothing is known for custom.industry" in page.text
        assert "Waiting" not in page.text
        assert not page.all("textarea")
        disabled = [field for field in page.all("input") if field.get("type") == "radio"]
        assert ["disabled" in field for field in disabled] == [False, True]
        form = opened(browser, lead, "whatsapp")
        assert send(browser, lead, form, body="Free text").status_code == 422
        assert send(browser, lead, form).status_code == 422
        assert send(browser, lead, form, template="nonsense").status_code == 422
        assert send(browser, lead, form, template=str(approved.pk)).status_code == 200
    sent = Message.objects.get(direction="outbound")
    assert (sent.type, sent.body) == (MessageType.TEMPLATE, "Hello Grace, any news?")


def test_what_was_typed_when_the_window_closed_is_kept(browser: Browser) -> None:
    with with_window():
        lead = make_whatsapp(received_at=timezone.now() - timedelta(hours=25)).lead
        refused = send(browser, lead, opened(browser, lead, "whatsapp"), body="Nearly done")
        assert refused.status_code == 422
        values = {field["name"]: field.get("value") for field in page_of(refused).all("input")}
        assert values["body"] == "Nearly done"
        assert "Nearly done" in page_of(refused).text
        form = {"channel": "whatsapp", "mode": "whatsapp", "place": "inbox"}
        switched = send(browser, lead, form, body=values["body"], switch="email")
    assert "Nearly done</textarea>" in switched.content.decode()


def test_canned_replies_come_filled_in_and_what_is_missing_blocks(browser: Browser) -> None:
    make_template(name="Prices", shortcut="price", body="{{ first_name }}: {{ custom.industry }}")
    make_template(name="Other", shortcut="other")
    make_template(name="Approved", channel="whatsapp", vendor_name="x", vendor_language="en")
    row = make_conversation(make_reachable_lead(name="Grace Hopper"))
    address = reverse("channels:suggestions", args=[row.lead_id])
    asked = {"sign": "/", "q": "pri", "channel": "email"}
    page = page_of(browser.get(address, asked, headers=HTMX))
    [option] = page.all("button")
    assert option["data-insert"] == "Grace: {{ custom.industry }}"
    assert "Nothing is known for custom.industry" in page.text
    form = opened(browser, row.lead)
    refused = send(browser, row.lead, form, body=option["data-insert"])
    assert refused.status_code == 422
    assert "Fill in “custom.industry” first." in page_of(refused).text
    refused = send(browser, row.lead, form, body="{{ custom.industry | your trade }} :-}}")
    assert "Fill in “custom.industry” first." in page_of(refused).text
    assert send(browser, row.lead, form, body="function() {{ return 1 }}").status_code == 200
    everything = page_of(browser.get(address, {"sign": "/"}, headers=HTMX)).all("button")
    assert len(everything) == 2


def test_an_at_sign_offers_colleagues(browser: Browser, tenant: Tenant) -> None:
    make_user(tenant, name="Ben Okri")
    address = reverse("channels:suggestions", args=[make_reachable_lead().pk])
    page = page_of(browser.get(address, {"sign": "@", "q": "ok"}, headers=HTMX))
    assert [option["data-insert"] for option in page.all("button")] == ["@Ben Okri "]


def test_a_note_goes_to_the_team_and_to_nobody_else(browser: Browser, tenant: Tenant) -> None:
    ben = make_user(tenant, name="Ben Okri")
    row = make_conversation()
    form = opened(browser, row.lead)
    switched = send(browser, row.lead, form, switch="note", body="@Ben Okri look")
    assert "Add note" in page_of(switched).text
    answer = send(browser, row.lead, form | {"mode": "note"}, body="@Ben Okri look")
    assert answer.context["mode"] == "email", "back to answering"
    assert Note.objects.get().body == "@Ben Okri look"
    assert not Message.objects.filter(direction="outbound").exists()
    row.refresh_from_db()
    assert row.assignee is None, "a mention assigns nothing"
    from tests.web import browser_of

    bens = browser_of(ben)
    mentions = page_of(bens.get(reverse("inbox:list") + "?view=mentions")).text
    assert "@Ben Okri look" in mentions
    assert bens.get(reverse("inbox:list")).context["has_mentions"]
    text = page_of(bens.get(reverse("inbox:conversation", args=[row.pk]))).text
    assert "Note for the team" in text
    assert not bens.get(reverse("inbox:list")).context["has_mentions"]


def test_who_opted_out_is_named_before_anything_is_written(browser: Browser) -> None:
    row = make_conversation()
    opt_out(row.lead, channel="email", address=row.lead.emails[0], source="manual")
    answer = browser.get(composer(row.lead), {"channel": "email"}, headers=HTMX)
    assert "do not want to be written to" in page_of(answer).text
    refused = send(browser, row.lead, opened(browser, row.lead), body="Hi")
    assert refused.status_code == 422


def test_a_lead_without_an_address_can_have_a_note(browser: Browser) -> None:
    from leads.services import create_lead

    lead = create_lead(name="Nobody")
    answer = browser.get(composer(lead), {"place": "inbox"}, headers=HTMX)
    assert "There is no address or number" in page_of(answer).text
    assert send(browser, lead, {"place": "inbox"}, body="Hi").status_code == 422


def test_others_see_that_somebody_writes_until_it_is_sent(browser: Browser, rep: User) -> None:
    row = make_conversation()
    address = reverse("channels:replying", args=[row.lead_id])
    assert browser.post(address, {"channel": "pig\x00eon"}).status_code == 204
    browser.post(address, {"channel": "email"})
    assert Replying.objects.get().user == rep
    from tests.web import browser_of

    ben = browser_of(make_user(row.tenant))
    address = reverse("inbox:conversation", args=[row.pk])
    assert "Ada Lovelace is writing an answer" in page_of(ben.get(address)).text
    assert "is writing an answer" not in page_of(browser.get(address)).text
    send(browser, row.lead, opened(browser, row.lead), body="Done")
    assert "is writing an answer" not in page_of(ben.get(address)).text


def test_the_mark_of_writing_fades(browser: Browser, tenant: Tenant) -> None:
    row, ben = make_conversation(), make_user(tenant, name="Ben")
    Replying.objects.create(
        conversation=row, user=ben, seen_at=timezone.now() - timedelta(seconds=21)
    )
    address = reverse("inbox:conversation", args=[row.pk])
    assert "is writing" not in page_of(browser.get(address)).text


def press(browser: Browser, message: Message, verb: str) -> Any:
    """Press a button under a message."""
    address = reverse("channels:message-verb", args=[message.lead_id, message.pk, verb])
    return browser.post(address, headers=HTMX)


@pytest.mark.parametrize(("verb", "status"), [("arrived", "sent"), ("lost", "failed")])
def test_an_unknown_message_is_settled_by_who_knows(
    browser: Browser, verb: str, status: str
) -> None:
    message = make_message()
    Message.objects.filter(pk=message.pk).update(status="unknown")
    address = reverse("inbox:conversation", args=[message.conversation_id])
    assert "Nobody knows whether this arrived" in page_of(browser.get(address)).text
    press(browser, message, verb)
    message.refresh_from_db()
    assert message.status == status
    assert "known by now" in press(browser, message, verb).content.decode()


def test_a_failed_message_says_why_and_is_sent_again_once(browser: Browser) -> None:
    from channels.services import record_status

    message = make_message(body="Important", subject="S", cc=["c@example.com"])
    record_status(message.pk, "failed", reason="The mailbox is full.")
    address = reverse("inbox:conversation", args=[message.conversation_id])
    text = page_of(browser.get(address)).text
    assert "The mailbox is full." in text
    assert "Send again" in text
    for _number in range(2):
        assert press(browser, message, "again").status_code == 200
    copies = Message.objects.exclude(pk=message.pk)
    assert [(copy.body, copy.subject, copy.cc, copy.status) for copy in copies] == [
        ("Important", "S", ["c@example.com"], "queued")
    ]
    assert "Send again" not in page_of(browser.get(address)).text


def test_what_goes_again_goes_through_the_same_account(browser: Browser) -> None:
    from channels.services import record_status

    with scripted():
        make_scripted_account()
        second = make_scripted_account(name="B", address="b@example.com", is_default=False)
        message = make_message(account=second)
        record_status(message.pk, "failed", reason="The mailbox is full.")
        press(browser, message, "again")
    assert Message.objects.exclude(pk=message.pk).get().account == second


def test_without_scripts_a_button_leads_back_to_where_it_was_pressed(browser: Browser) -> None:
    message = make_message()
    address = reverse("channels:message-verb", args=[message.lead_id, message.pk, "arrived"])
    page = "http://testserver/inbox?view=mine"
    for referer, place in (
        (page, page),
        ("http://testserver//example.com/x", "http://testserver//example.com/x"),
        ("http://example.com/", reverse("leads:detail", args=[message.lead_id])),
        ("http://[", reverse("leads:detail", args=[message.lead_id])),
        ("", reverse("leads:detail", args=[message.lead_id])),
    ):
        answer = browser.post(address, headers={"Referer": referer})
        assert answer.headers["Location"] == place


def test_linkedin_is_written_by_hand(browser: Browser, rep: User) -> None:
    lead = make_reachable_lead(profiles=[PROFILE])
    form = opened(browser, lead, "linkedin")
    send(browser, lead, form, body="Nice to meet you")
    message = Message.objects.get()
    assert message.status == MessageStatus.PREPARED
    page = page_of_thread(browser, message)
    assert "I sent it" in page.text
    assert [b["data-copy"] for b in page.all("button") if "data-copy" in b] == ["Nice to meet you"]
    press(browser, message, "sent")
    message.refresh_from_db()
    assert message.status == MessageStatus.SENT
    assert "wait to be sent by hand" in press(browser, message, "discard").content.decode()
    send(browser, lead, opened(browser, lead, "linkedin"), body="Me too!", pasted="1")
    answer = Message.objects.get(direction="inbound")
    assert (answer.body, answer.address, answer.channel) == ("Me too!", PROFILE, "linkedin")
    empty = send(browser, lead, opened(browser, lead, "linkedin"), body=" ", pasted="1")
    assert "Paste what they answered." in page_of(empty).text


def test_an_answer_is_pasted_only_where_nobody_reads_along(browser: Browser) -> None:
    row = make_conversation()
    form = opened(browser, row.lead)
    refused = send(browser, row.lead, form, body="I agree to everything", pasted="1")
    assert "comes in by itself" in page_of(refused).text
    form = {"channel": "linkedin", "mode": "linkedin", "place": "inbox"}
    refused = send(browser, row.lead, form, body="Me too!", pasted="1")
    assert "The lead has no LinkedIn profile." in page_of(refused).text
    assert Message.objects.count() == 1


def page_of_thread(browser: Browser, message: Message) -> Any:
    """The thread as it stands in the inbox, without its links to other servers."""
    response = browser.get(reverse("inbox:conversation", args=[message.conversation_id]))
    html = response.content.decode().replace(PROFILE, "/profile")
    response.content = html.encode()
    return page_of(response)


def test_a_prepared_message_is_thrown_away(browser: Browser) -> None:
    lead = make_reachable_lead(profiles=[PROFILE])
    send(browser, lead, opened(browser, lead, "linkedin"), body="Hm")
    message = Message.objects.get()
    press(browser, message, "discard")
    message.refresh_from_db()
    assert message.status == MessageStatus.WITHDRAWN
    assert "Hm" not in page_of_thread(browser, message).text


@pytest.mark.parametrize("verb", ["nonsense", "delete"])
def test_unknown_verbs_are_not_found(browser: Browser, verb: str) -> None:
    assert press(browser, make_message(), verb).status_code == 404


def test_a_message_of_another_lead_is_not_found(browser: Browser) -> None:
    message, other = make_message(), make_reachable_lead()
    address = reverse("channels:message-verb", args=[other.pk, message.pk, "again"])
    assert browser.post(address).status_code == 404


def test_the_lead_page_has_the_same_thread(browser: Browser) -> None:
    row = make_conversation(body="Hello from the thread")
    address = reverse("channels:thread", args=[row.lead_id])
    page = page_of(browser.get(address, headers=HTMX))
    assert "Hello from the thread" in page.text
    answer = browser.post(
        composer(row.lead), {"channel": "email", "mode": "email", "body": "From the lead's page"}
    )
    assert answer.headers["Location"] == reverse("leads:detail", args=[row.lead_id])
    assert "From the lead's page" in page_of(browser.get(address, headers=HTMX)).text


def test_earlier_messages_are_fetched_page_by_page(browser: Browser) -> None:
    lead = make_reachable_lead()
    start = timezone.now() - timedelta(days=2)
    for number in range(35):
        make_inbound_message(
            lead, body=f"message {number:02}", received_at=start + timedelta(minutes=number)
        )
    add_note(lead, "the newest note")
    address = reverse("channels:thread", args=[lead.pk])
    answer = browser.get(address, headers=HTMX)
    text = page_of(answer).text
    assert "message 05" in text
    assert "message 04" not in text
    assert "the newest note" in text
    key = answer.context["thread"].earlier
    earlier = browser.get(
        reverse("channels:earlier", args=[lead.pk]), {"channel": "email", "after": key}
    )
    text = page_of(earlier).text
    assert "message 04" in text
    assert "message 05" not in text
    assert "the newest note" not in text


@pytest.mark.parametrize(
    ("html", "has_images"),
    [
        ('<p><a href="https://example.com/offer">The offer</a></p>', False),
        ("<p>https://example.com/ <img src='cid:logo'></p>", False),
        ('<p><IMG width=1 SRC = "https://example.com/pixel"></p>', True),
        ("<img\nsrc=http://example.com/x>", True),
    ],
)
def test_only_images_of_other_servers_are_said_to_be_left_out(
    browser: Browser, html: str, has_images: bool
) -> None:
    row = make_conversation(html=html)
    page = browser.get(reverse("inbox:conversation", args=[row.pk])).content.decode()
    assert ("Show the images" in page) is has_images


def test_what_a_colleague_wrote_in_the_vendors_own_app_is_not_called_automatic(
    browser: Browser,
) -> None:
    message = make_message()
    address = reverse("inbox:conversation", args=[message.conversation_id])
    assert "Automatic" in page_of(browser.get(address)).text
    Message.objects.filter(pk=message.pk).update(details={"echo": True})
    text = page_of(browser.get(address)).text
    assert "Written elsewhere" in text
    assert "Automatic" not in text


def test_what_people_write_is_never_markup(browser: Browser) -> None:
    lead = make_reachable_lead(name="<b>Grace</b>")
    row = make_conversation(
        lead,
        body="<script>alert(1)</script> <img src=x onerror=alert(2)>",
        subject="<i>x</i>",
        quoted="<u>q</u>",
    )
    add_note(lead, "<s>note</s>")
    html = browser.get(reverse("inbox:conversation", args=[row.pk])).content.decode()
    for markup in ("<b>Grace", "<script>alert", "<img src=x", "<i>x", "<u>q", "<s>note"):
        assert markup not in html
