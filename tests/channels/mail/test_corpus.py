"""Two hundred mails: none breaks anything, and who wrote them, and what they answer, is told
right."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.models import Automatic
from channels.transports import Fact, Incoming, OptOut, Report
from channels.transports.mail.identifiers import vendor_id_of
from channels.transports.mail.reading import read_mail
from tests.channels.mail.corpus import REPORT, Specimen, corpus
from tests.channels.mail.factories import OURS

CORPUS = corpus()
# Of a hundred mails so many are told right at least.
SHARE = 0.98


def facts_of(specimen: Specimen) -> list[Fact]:
    """What is read from a mail."""
    return list(read_mail(specimen.body, OURS))


def message_in(specimen: Specimen) -> Incoming | None:
    """The message that a mail is."""
    found = [fact for fact in facts_of(specimen) if isinstance(fact, Incoming)]
    assert len(found) <= 1
    return found[0] if found else None


def kind_of(specimen: Specimen) -> str:
    """Who wrote it, as we read it."""
    message = message_in(specimen)
    return message.automatic if message else REPORT


def having(name: str) -> list[Specimen]:
    """The mails whose label says something of it."""
    return [each for each in CORPUS if getattr(each, name) is not None]


def test_there_are_200_mails_of_every_kind() -> None:
    counts = Counter(each.kind for each in CORPUS)
    assert len(CORPUS) >= 200
    assert len({each.name for each in CORPUS}) == len(CORPUS)
    assert all(counts[kind] >= 15 for kind in Automatic.values), counts


@pytest.mark.parametrize("specimen", CORPUS, ids=str)
def test_mail_is_read_as_its_label_says(specimen: Specimen) -> None:
    message = message_in(specimen)
    if message is None:
        assert specimen.kind == REPORT
        return
    assert message.vendor_id.startswith("mid:")
    assert len(message.vendor_id) <= 255
    assert all(map(_is_storable, _texts(asdict(message))))
    assert message.sender.address == specimen.sender
    for name in ("subject", "text"):
        expected = getattr(specimen, name)
        assert expected is None or getattr(message, name) == expected
    if specimen.files is not None:
        assert tuple(file.name for file in message.files) == specimen.files
    assert message.details.items() >= specimen.details.items()
    assert message.conversation_id == specimen.conversation


SMALL = [each for each in CORPUS if len(each.body) < 20_000]
PIECES = [
    b"\r\n",
    b"--b1",
    b"--",
    b"\x00\xff",
    b"\xff",
    b"\x00",
    b"=?utf-8?b?",
    b"Content-Type: ",
    b'"',
    b"<",
    b";",
]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(SMALL), st.data())
def test_no_mail_breaks_anything_wherever_it_is_cut_and_patched(
    specimen: Specimen, data: st.DataObject
) -> None:
    place = st.integers(0, len(specimen.body))
    start, end = sorted((data.draw(place), data.draw(place)))
    piece = data.draw(st.sampled_from([b"", *PIECES]))
    begun = specimen.body[:start] + piece
    for body in (begun, begun + specimen.body[end:]):
        for fact in read_mail(body, OURS):
            assert all(map(_is_storable, _texts(asdict(fact))))


def _texts(told: Any) -> Iterator[str]:
    """All texts in what was told, however deep."""
    if isinstance(told, str):
        yield told
    elif isinstance(told, dict):
        for value in told.values():
            yield from _texts(value)
    elif isinstance(told, list | tuple):
        for value in told:
            yield from _texts(value)


def _is_storable(text: str) -> bool:
    """Whether PostgreSQL takes it."""
    return "\x00" not in text and text == text.encode("utf-8", "ignore").decode()


def test_who_wrote_is_told_right() -> None:
    wrong = [
        (each.name, each.kind, kind) for each in CORPUS if (kind := kind_of(each)) != each.kind
    ]
    share = 1 - len(wrong) / len(CORPUS)
    print(f"\n{len(CORPUS)} mails, {share:.1%} told right; wrong: {wrong}")  # noqa: T201
    assert share >= SHARE, wrong
    # To take a person for a program hides what a customer wrote.
    assert not [name for name, kind, _told in wrong if kind == Automatic.NO]


@pytest.mark.parametrize("specimen", having("answers"), ids=str)
def test_thread_is_told_right(specimen: Specimen) -> None:
    message = message_in(specimen)
    assert message
    first = vendor_id_of(specimen.answers) if specimen.answers else None
    assert next(iter(message.answers), None) == first


@pytest.mark.parametrize("specimen", having("bounced"), ids=str)
def test_bounce_tells_whose_address_is_gone(specimen: Specimen) -> None:
    [report] = [fact for fact in facts_of(specimen) if isinstance(fact, Report)]
    assert (report.status, report.bounced) == ("failed", specimen.bounced)
    assert not specimen.bounced or report.hard == specimen.hard
    assert report.reason
    assert report.message_id


@pytest.mark.parametrize("specimen", having("returns"), ids=str)
def test_out_of_office_tells_the_day_of_the_return(specimen: Specimen) -> None:
    message = message_in(specimen)
    assert message
    assert message.returns_at
    assert message.returns_at.date() == specimen.returns


def test_reports_say_what_became_of_the_mail() -> None:
    told = {each.name: facts_of(each) for each in CORPUS if each.kind == REPORT}
    [delivered], [read], [complaint] = (
        told[name] for name in ("delivered", "read receipt", "complaint")
    )
    assert isinstance(delivered, Report)
    assert isinstance(read, Report)
    assert isinstance(complaint, OptOut)
    assert (delivered.status, read.status) == ("delivered", "read")
    assert complaint.sender.address == "ann@example.com"


def test_copy_of_our_own_mail_says_nothing() -> None:
    body = f"From: Sales <{OURS.upper()}>\r\nTo: ann@example.com\r\n\r\nHi".encode()
    assert list(read_mail(body, OURS)) == []
