"""When somebody who is away is back, in the words of their mail program."""

from datetime import UTC, date, datetime

import pytest

from channels.transports.mail.absences import return_of, tells_absence

RECEIVED = datetime(2026, 11, 22, 10, tzinfo=UTC)
MONDAY = date(2026, 11, 30)
DECEMBER = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("Ich bin ab Montag, den 30.11.2026 wieder für Sie da.", MONDAY),
        ("Ab Montag, 30.11., bin ich wieder im Büro.", MONDAY),
        ("Ab 1. Dezember bin ich wieder erreichbar.", DECEMBER),
        ("Ich kehre am 30.11.2026 zurück.", MONDAY),
        ("Ich bin im Urlaub und komme am Montag, 7. Dezember zurück.", date(2026, 12, 7)),
        ("Ich bin am 23.11. nicht da. Ab 25.11. bin ich wieder erreichbar.", date(2026, 11, 25)),
        ("Ich bin vom 23.-27.11.2026 nicht erreichbar.", date(2026, 11, 28)),
        ("Vom 23.11.2026 – 04.12.2026 bin ich nicht im Büro.", date(2026, 12, 5)),
        ("Ich bin bis einschließlich 30. November nicht im Büro.", DECEMBER),
        ("I will be back on Monday the 30th of November.", MONDAY),
        ("I'll be back 11/30/2026.", MONDAY),
        ("I will return on 12/01/2026.", DECEMBER),
        ("I will be returning Tuesday, December 1st.", DECEMBER),
        ("I am on annual leave, returning 1 Dec 2026.", DECEMBER),
        ("I am away from November 23 to December 1.", date(2026, 12, 2)),
        ("I'm on parental leave until March 2027.", date(2027, 3, 2)),
        ("Out of office. Back Mon 30 Nov.", MONDAY),
        ("I am out of the office. My manual of 3 May 2024 says how to order.", None),
        ("Ich bin derzeit nicht im Büro. Ihre E-Mail wird nicht weitergeleitet.", None),
        ("I am out of the office until 31.02.2027.", None),
    ],
)
def test_day_of_return_is_read(text: str, back: date | None) -> None:
    assert tells_absence("Automatic reply: Offer", text)
    told = return_of(text, RECEIVED)
    assert (told and told.date()) == back


@pytest.mark.parametrize(
    "text",
    ["We answer within 24 hours.", "I have left the company.", "Wir haben Ihre Anfrage erhalten."],
)
def test_answer_that_speaks_of_no_absence_tells_none(text: str) -> None:
    assert not tells_absence("Automatic reply: Offer", text)
