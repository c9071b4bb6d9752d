"""Two hundred mails: none breaks anything, and who wrote them, and what they answer, is told
right."""

from collections import Counter

import pytest

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
    told = message.subject + message.text + message.quoted + message.html + message.sender.name
    assert "\x00" not in told
    told.encode()
    assert message.sender.address == specimen.sender
    for name in ("subject", "text"):
        expected = getattr(specimen, name)
        assert expected is None or getattr(message, name) == expected
    if specimen.files is not None:
        assert tuple(file.name for file in message.files) == specimen.files
    assert message.details.items() >= specimen.details.items()
    assert message.conversation_id == specimen.conversation


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
