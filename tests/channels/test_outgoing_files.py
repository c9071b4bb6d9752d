"""Files that go out with a mail: taken in the composer, kept with their message, sent along."""

import email
from collections.abc import Callable, Iterator
from email import policy
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from channels.files import attach_files, complaints_about, files_of
from channels.models import (
    Account,
    Attachment,
    AttachmentContent,
    Channel,
    Conversation,
    Message,
    MessageStatus,
)
from channels.services import record_status
from channels.testing import carried_by
from channels.transports import File
from events.testing import settle_events
from salesflow.accounts.models import Tenant
from tests.api.clients import api_of
from tests.channels.factories import ScriptedTransport, make_message, make_reachable_lead
from tests.channels.inbox_factories import make_conversation, make_whatsapp
from tests.channels.mail.devel import ANN, NOISE, MailDevel, mail_devel
from tests.channels.mail.factories import make_mail_account
from tests.web import HTMX, Browser, page_of

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40


def upload(name: str = "offer.pdf", data: bytes = PDF) -> SimpleUploadedFile:
    """A file as a browser sends it; what it says of its type is not to be relied on."""
    return SimpleUploadedFile(name, data, content_type="text/html")


def post(browser: Browser, row: Conversation, *files: Any, **given: Any) -> Any:
    """Send the composer's form with files."""
    form = {"channel": row.channel, "mode": row.channel, "place": "inbox", "body": "See attached"}
    address = reverse("channels:composer", args=[row.lead_id])
    return browser.post(address, {**form, "files": list(files), **given}, headers=HTMX)


def sent() -> Message:
    """The message that was written."""
    message: Message = Message.objects.get(direction="outbound")
    return message


def names_of(message: Message) -> list[str]:
    """What the files of a message are called."""
    return list(message.attachments.values_list("name", flat=True))


# --- The composer -------------------------------------------------------------------------------


def test_files_are_kept_with_their_message_and_shown_in_the_thread(browser: Browser) -> None:
    row = make_conversation()
    answer = post(browser, row, upload("Angebot März.pdf"), upload("notes.txt", b"Hi"))
    assert answer.status_code == 200
    first, second = sent().attachments.all()
    assert (first.name, first.content_type, first.size) == (
        "Angebot März.pdf",
        "application/pdf",
        len(PDF),
    )
    assert (second.name, second.content_type, second.status) == (
        "notes.txt",
        "text/plain",
        "stored",
    )
    assert bytes(first.content.data) == PDF
    page = page_of(browser.get(reverse("inbox:conversation", args=[row.pk])))
    assert "Angebot März.pdf" in page.text
    saved = browser.get(reverse("mail:file", args=[first.pk]))
    assert saved.content == PDF


def test_a_form_that_is_sent_twice_keeps_its_files_once(browser: Browser) -> None:
    row = make_conversation()
    for _number in range(2):
        assert post(browser, row, upload(), key="0" * 32).status_code == 200
    assert Attachment.objects.count() == AttachmentContent.objects.count() == 1


def test_a_message_needs_no_files(browser: Browser) -> None:
    row = make_conversation()
    assert post(browser, row).status_code == 200
    assert not Attachment.objects.exists()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("big.pdf", 31)], "“big.pdf” has 31\xa0bytes: a file may have up to 30\xa0bytes."),
        ([("empty.txt", 0)], "“empty.txt” is empty."),
        ([("a", 1), ("b", 1), ("c", 1), ("d", 1)], "4 files are too many: up to 3 go"),
        (
            [("a.txt", 25), ("b.txt", 26)],
            "Together they have 51\xa0bytes (“a.txt”, “b.txt”): up to 50\xa0bytes go",
        ),
    ],
)
def test_files_beyond_the_limits_are_named_and_nothing_is_sent(
    browser: Browser, settings: LazySettings, files: list[tuple[str, int]], words: str
) -> None:
    settings.MAIL_FILES_MOST, settings.MAIL_FILE_BYTES, settings.MAIL_FILES_BYTES = 3, 30, 50
    row = make_conversation()
    answer = post(browser, row, *(upload(name, b"x" * size) for name, size in files))
    assert answer.status_code == 422
    text = page_of(answer).text
    assert words in text
    assert "Choose the files again" in text
    assert "See attached" in answer.content.decode()
    assert not Message.objects.filter(direction="outbound").exists()
    assert not Attachment.objects.exists()


def test_files_at_the_limits_are_taken(browser: Browser, settings: LazySettings) -> None:
    settings.MAIL_FILES_MOST, settings.MAIL_FILE_BYTES, settings.MAIL_FILES_BYTES = 2, 30, 60
    row = make_conversation()
    files = [upload(name, b"x" * 30) for name in "ab"]
    assert post(browser, row, *files).status_code == 200
    assert names_of(sent()) == ["a", "b"]


def test_what_is_refused_for_its_text_leaves_no_file(browser: Browser) -> None:
    row = make_conversation()
    answer = post(browser, row, upload(), body=" ")
    assert answer.status_code == 422
    assert "Choose the files again" in page_of(answer).text
    assert not Attachment.objects.exists()


def test_a_form_without_files_asks_for_none_again(browser: Browser) -> None:
    row = make_conversation()
    assert "Choose the files again" not in page_of(post(browser, row, body=" ")).text


def test_other_channels_carry_no_files_and_say_so(browser: Browser) -> None:
    message = make_whatsapp()
    answer = browser.get(
        reverse("channels:composer", args=[message.lead_id]), {"mode": "whatsapp"}, headers=HTMX
    )
    assert not [field for field in page_of(answer).all("input") if field.get("type") == "file"]
    refused = post(browser, message.conversation, upload())
    assert refused.status_code == 422
    assert "Files can be sent by e-mail alone." in page_of(refused).text
    assert not Message.objects.filter(direction="outbound").exists()


def test_a_transport_that_carries_no_files_loses_none(browser: Browser) -> None:
    row = make_conversation()
    with carried_by(ScriptedTransport(None), Channel.EMAIL):
        refused = post(browser, row, upload())
    assert refused.status_code == 422
    assert not Message.objects.filter(direction="outbound").exists()


def test_the_form_says_how_much_may_go(browser: Browser) -> None:
    row = make_conversation()
    page = page_of(browser.get(reverse("inbox:conversation", args=[row.pk])))
    assert "Up to 10, 15.0\xa0MB each, 18.0\xa0MB together." in page.text
    [form] = [form for form in page.all("form") if "data-composer" in form]
    assert form["enctype"] == form["hx-encoding"] == "multipart/form-data"
    [field] = [field for field in page.all("input") if field.get("type") == "file"]
    assert (field["data-most"], field["data-each"]) == ("10", "15728640")


def test_a_note_and_a_switch_keep_nothing(browser: Browser) -> None:
    row = make_conversation()
    assert post(browser, row, upload(), switch="note").status_code == 200
    assert post(browser, row, upload(), mode="note", body="For us").status_code == 200
    assert not Attachment.objects.exists()


# --- Sending ------------------------------------------------------------------------------------


class KeepingTransport(ScriptedTransport):
    """One that carries files."""

    carries_files = True


def test_a_transport_gets_the_files_with_their_data(browser: Browser) -> None:
    row, transport = make_conversation(), KeepingTransport(None)
    with carried_by(transport, Channel.EMAIL):
        post(browser, row, upload("b.pdf"), upload("a.txt", b"Hi"))
        make_message(make_reachable_lead(), body="Without")
        settle_events()
    with_files, without = sorted(transport.calls, key=lambda call: call.body == "Without")
    assert [(file.name, file.data) for file in with_files.files] == [
        ("b.pdf", PDF),
        ("a.txt", b"Hi"),
    ]
    assert without.files == ()


def test_what_failed_is_sent_again_with_its_files(browser: Browser) -> None:
    row = make_conversation()
    post(browser, row, upload("a.pdf"), upload("b.pdf"))
    message = sent()
    record_status(message.pk, MessageStatus.FAILED, reason="The mailbox is full.")
    address = reverse("channels:message-verb", args=[row.lead_id, message.pk, "again"])
    assert browser.post(address, headers=HTMX).status_code == 200
    copy = Message.objects.filter(direction="outbound").exclude(pk=message.pk).get()
    assert names_of(copy) == ["a.pdf", "b.pdf"]
    assert [file.data for file in files_of(copy)] == [PDF, PDF]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.pdf", "a.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\Ada\\a.pdf", "a.pdf"),
        ("a\r\nBcc: x@example.com\r\n.pdf", "a Bcc: x@example.com .pdf"),
        ("a\x00b.pdf", "a b.pdf"),
        ("ä" * 300 + ".pdf", "ä" * 251 + ".pdf"),
        ("x" * 300, "x" * 255),
        ("", "File"),
        ("/", "File"),
        (".env", ".env"),
    ],
)
def test_names_are_such_as_a_header_can_carry(tenant: Tenant, given: str, kept: str) -> None:
    message = make_message(files=[File(given, "", b"x")])
    assert names_of(message) == [kept]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", "image/png"),
        ("a.PDF", "application/pdf"),
        ("a.csv", "text/csv"),
        ("a.tar.gz", "application/octet-stream"),
        ("a.eml", "application/octet-stream"),
        ("a.mht", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("a.neverheardof", "application/octet-stream"),
    ],
)
def test_the_type_is_told_by_the_ending(tenant: Tenant, name: str, kind: str) -> None:
    message = make_message(files=[File(name, "text/html", b"x")])
    assert message.attachments.get().content_type == kind


def test_programs_are_told_of_the_limits_too(tenant: Tenant, settings: LazySettings) -> None:
    settings.MAIL_FILE_BYTES = 1
    with pytest.raises(ValidationError) as caught:
        make_message(files=[File("a.pdf", "", b"xx")])
    assert list(caught.value.message_dict) == ["files"]
    assert not Message.objects.exists()
    assert complaints_about([("a", 1)]) == []
    Account.objects.all().delete()
    with pytest.raises(ValidationError):
        attach_files(Message(channel=Channel.EMAIL), [File("a", "", b"x")])


def test_the_api_names_the_files_of_a_message(browser: Browser, tenant: Tenant) -> None:
    row = make_conversation()
    post(browser, row, upload())
    told = api_of(tenant).get(f"/api/messages/{sent().pk}").json()
    [file] = told["attachments"]
    assert (file["name"], file["content_type"], file["size"]) == (
        "offer.pdf",
        "application/pdf",
        len(PDF),
    )


@pytest.fixture
def server() -> Iterator[MailDevel]:
    """A mail server."""
    with mail_devel() as server:
        yield server


@pytest.mark.filterwarnings(NOISE)
@pytest.mark.django_db(transaction=True)
def test_a_mail_with_files_arrives_whole(
    browser: Browser, server: MailDevel, settle_events: Callable[[], int]
) -> None:
    make_mail_account(smtp_port=server.smtp, signature="Ada, Acme")
    row = make_conversation(make_reachable_lead(ANN))
    large = bytes(range(256)) * 8000
    names = ["Angebot März 2026.pdf", "日本語" * 40 + ".txt", "mail.eml"]
    files = [upload(names[0], PDF), upload(names[1], b"one\ntwo\n"), upload(names[2], large)]
    assert post(browser, row, *files, subject="Offer").status_code == 200
    settle_events()
    assert sent().status == MessageStatus.SENT, sent().error
    [body] = server.mails(ANN)
    mail = email.message_from_bytes(body, policy=policy.default)
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().split() == ["See", "attached", "--", "Ada,", "Acme"]
    parts = list(mail.iter_attachments())
    assert [part.get_filename() for part in parts] == names
    assert [part.get_payload(decode=True) for part in parts] == [PDF, b"one\ntwo\n", large]
    assert [part.get_content_type() for part in parts] == [
        "application/pdf",
        "text/plain",
        "application/octet-stream",
    ]
    assert max(len(line) for line in body.splitlines()) <= 998


# --- Uploads ------------------------------------------------------------------------------------


def test_a_body_beyond_the_quota_is_refused_unread_whoever_sends_it(
    browser: Browser, settings: LazySettings
) -> None:
    settings.UPLOAD_BYTES = 10_000
    row = make_conversation()
    assert post(browser, row, upload(data=b"x" * 12_000)).status_code == 400
    stranger = Client().post(reverse("login"), {"username": "x", "f": upload(data=b"x" * 12_000)})
    assert stranger.status_code == 400
    assert post(browser, row, upload(data=b"x" * 8_000)).status_code == 200
