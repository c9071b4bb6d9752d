"""Mails as other programs read them: parsed anew from their bytes."""

import email
import re
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import Any

import pytest

from channels.models import Account, Purpose
from channels.transports import File
from channels.transports.mail.building import build_mail, thread_with
from channels.transports.mail.identifiers import conversation_of
from salesflow.accounts.models import Tenant
from tests.channels.mail.factories import (
    CONVERSATION,
    MESSAGE,
    OURS,
    mail_settings,
    make_outgoing,
)


def bytes_of(settings: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """A mail as it goes over the line."""
    account = Account(address=OURS, name="Sales", tenant=Tenant(language="en"))
    return build_mail(
        account, mail_settings(**(settings or {})), make_outgoing(**fields)
    ).as_bytes()


def read(data: bytes) -> EmailMessage:
    """A mail as Python's strict parser reads it."""
    mail: EmailMessage = email.message_from_bytes(data, policy=policy.default)
    assert not mail.defects
    return mail


def text_of(data: bytes) -> str:
    """The text of a mail, with our line ends."""
    return str(read(data).get_content()).replace("\r\n", "\n")


def test_mail_says_who_writes_to_whom() -> None:
    data = bytes_of(attempt=2, cc=("bob@example.com",))
    mail = read(data)
    assert (mail["From"], mail["To"], mail["Cc"]) == (
        f"Sales <{OURS}>",
        "Ann <ann@example.com>",
        "bob@example.com",
    )
    assert (mail["Subject"], text_of(data)) == ("Hello", "How are you?\n")
    assert mail["Message-ID"] == f"<{MESSAGE}.2@acme.example.com>"
    assert mail["X-SalesFlow-Message"] == f"{MESSAGE}.2"
    assert mail["In-Reply-To"] is mail["List-Unsubscribe"] is mail["Reply-To"] is None


@pytest.mark.parametrize(
    "name",
    [
        'Müller, "Änna" <evil@example.org>',
        "Ann\r\nBcc: evil@example.org",
        "Zażółć, gęślą; jaźń: @(x)",
        "日本語の名前がとても長い人" * 6,
        "",
        "O'Brien, Ann (CEO)",
        "Jörg Müller-Lüdenscheidt von der Köln-Düsseldorfer Größenordnung GmbH & Co. KG, Süßen",
    ],
)
def test_whatever_a_lead_is_called_the_mail_goes_to_one_address(name: str) -> None:
    data = bytes_of(name=name)
    mail = read(data)
    [person] = mail["To"].addresses
    assert person.addr_spec == "ann@example.com"
    raw = email.message_from_bytes(data)["To"].rpartition("<")[0].strip()
    told = str(make_header(decode_header(raw))).strip('"').replace('\\"', '"')
    assert told == " ".join(name.split())
    assert mail["Bcc"] is None
    assert data.isascii()


@pytest.mark.parametrize(
    "subject", ["Grüße aus Köln " * 11, "日本語" * 60, "a" * 200, "=?utf-8?q?x?="]
)
def test_subject_comes_back_as_it_was(subject: str) -> None:
    data = bytes_of(subject=subject.strip())
    assert read(data)["Subject"] == subject.strip() or subject.startswith("=?")
    head = data.split(b"\r\n\r\n")[0]
    words = [line for line in head.split(b"\r\n") if b"=?utf-8?" in line]
    # RFC 2047, 2: an encoded word has at most 75 characters.
    assert all(len(word) <= 75 for line in words for word in line.split() if b"=?" in word)


@pytest.mark.parametrize(
    "body",
    [
        "plain",
        "Grüße\n" * 50,
        ".\n..\nFrom me\n",
        "x" * 3000,
        "🎉" * 800,
        "line\r\nother\r\n",
        "-- \nA",
    ],
)
def test_text_comes_back_in_lines_that_servers_take(body: str) -> None:
    data = bytes_of(body=body)
    assert text_of(data).rstrip("\n") == body.replace("\r\n", "\n").rstrip("\n")
    assert data.isascii()
    # RFC 5321, 4.5.3.1.6.
    assert max(len(line) for line in data.split(b"\r\n")) <= 998


def test_files_are_parts_in_lines_that_servers_take() -> None:
    files = (
        File('Prü"fung; a=b.pdf', "application/pdf", bytes(range(256)) * 30),
        File("n" * 250 + ".txt", "text/plain", b"one\n.\nFrom two\n"),
        File("x", "", b"\x00"),
    )
    data = bytes_of(body="Grüße", files=files)
    assert data.isascii()
    lines = data.split(b"\r\n")
    # RFC 2045, 6.8.
    assert not [line for line in lines if re.fullmatch(rb"[A-Za-z0-9+/=]{77,}", line)]
    assert max(map(len, lines)) <= 998
    mail = read(data)
    assert mail.get_content_type() == "multipart/mixed"
    told = [
        (part.get_filename(), part.get_payload(decode=True)) for part in mail.iter_attachments()
    ]
    assert told == [(file.name, file.data) for file in files]
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Grüße"
    assert [str(mail["To"]), mail["Message-ID"]] == [
        "Ann <ann@example.com>",
        f"<{MESSAGE}.1@acme.example.com>",
    ]


def test_answer_names_the_thread_and_its_identifiers_stay_whole() -> None:
    outlook = "<" + "AM6PR0" * 30 + "@EURPRD04.PROD.OUTLOOK.COM>"
    data = bytes_of(references=f"<root@example.com> {outlook}")
    mail = read(data)
    assert mail["In-Reply-To"] == outlook
    assert mail["References"] == f"<root@example.com> {outlook}"
    assert f"\r\nIn-Reply-To: {outlook}\r\n".encode() in data


def test_long_thread_keeps_its_root_and_its_end() -> None:
    thread = [f"<{number}@example.com>" for number in range(50)]
    named = str(read(bytes_of(references=" ".join(thread)))["References"]).split()
    assert (named[0], named[-1], len(named)) == (thread[0], thread[-1], 20)


def test_receipt_tells_the_thread_with_the_mail_itself() -> None:
    told = thread_with(make_outgoing(references="<a@b>"), OURS)
    assert told == f"<a@b> <{MESSAGE}.1@acme.example.com>"


def test_answers_go_to_an_address_that_names_the_conversation() -> None:
    mail = read(bytes_of({"plus_addressing": True, "from_name": "Ann of Acme"}))
    [reply_to] = mail["Reply-To"].addresses
    assert reply_to.domain == "acme.example.com"
    assert reply_to.username.startswith("sales+")
    assert len(reply_to.username) <= 64
    assert conversation_of(reply_to.addr_spec) == CONVERSATION
    # Some servers write addresses in capitals.
    assert conversation_of(reply_to.addr_spec.upper()) == CONVERSATION


def test_marketing_can_be_opted_out_of_with_one_click() -> None:
    url = "https://sales.example.com/u/" + "x" * 120
    data = bytes_of(purpose=Purpose.MARKETING, unsubscribe_url=url)
    # Servers sign these two lines as they stand; folded ones have been taken for broken.
    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in data
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in data
    assert url in text_of(data)


def test_one_click_is_not_promised_without_encryption() -> None:
    data = bytes_of(purpose=Purpose.MARKETING, unsubscribe_url="http://127.0.0.1/u/x")
    assert b"List-Unsubscribe: <http://127.0.0.1/u/x>" in data
    assert b"One-Click" not in data


def test_signature_stands_below_the_dashes() -> None:
    assert text_of(bytes_of({"signature": "Ann\nAcme"})) == "How are you?\n\n-- \nAnn\nAcme\n"


def test_domain_with_other_letters_is_written_in_plain_ones() -> None:
    mail = read(bytes_of(address="ann@müller.example.com"))
    assert mail["To"].addresses[0].domain == "xn--mller-kva.example.com"


# --- Tracked mails ------------------------------------------------------------------------------


def tracked(**fields: Any) -> EmailMessage:
    """A mail whose link and opening are told of."""
    given = {
        "body": "Hi <you> & all,\nsee https://example.com/?a=1&b=2.",
        "links": {"https://example.com/?a=1&b=2": "https://ours.example.com/t/c/1"},
        "pixel_url": "https://ours.example.com/t/o/1.gif",
    }
    settings = {"signature": "Ada\nhttps://example.com/?a=1&b=2"}
    return read(bytes_of(settings, **given | fields))


def part_of(mail: EmailMessage, kind: str) -> str:
    """The text or the HTML of a mail, with our line ends."""
    part = mail.get_body((kind,))
    assert part
    return str(part.get_content()).replace("\r\n", "\n")


def test_tracked_mail_has_its_links_in_html_and_the_text_stays_as_it_was() -> None:
    mail = tracked()
    assert mail.get_content_type() == "multipart/alternative"
    assert part_of(mail, "plain").startswith("Hi <you> & all,\nsee https://example.com/?a=1&b=2.")
    assert "ours.example.com" not in part_of(mail, "plain")
    html = part_of(mail, "html")
    assert "Hi &lt;you&gt; &amp; all,<br>" in html
    link = '<a href="https://ours.example.com/t/c/1">https://example.com/?a=1&amp;b=2</a>.<br>'
    assert link in html
    assert '<img src="https://ours.example.com/t/o/1.gif"' in html


def test_links_of_signature_and_way_out_are_left_alone() -> None:
    out = "https://ours.example.com/u/1"
    html = part_of(tracked(purpose=Purpose.MARKETING, unsubscribe_url=out), "html")
    assert html.count("https://ours.example.com/t/c/1") == 1
    assert html.count('<a href="https://example.com/?a=1&amp;b=2">') == 1
    assert f'<a href="{out}">{out}</a>' in html


def test_tracked_mail_carries_files_too() -> None:
    mail = tracked(files=(File("a.txt", "text/plain", b"x", 1),))
    assert mail.get_content_type() == "multipart/mixed"
    assert [part.get_filename() for part in mail.iter_attachments()] == ["a.txt"]
    assert "ours.example.com" in part_of(mail, "html")


def test_mail_that_is_not_tracked_is_plain() -> None:
    assert read(bytes_of()).get_content_type() == "text/plain"
