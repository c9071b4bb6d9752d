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
    ("text", "back"),
    [
        ("Ich bin bis 23.12. im Urlaub. Frau Weber ist ab 8.12. wieder da.", 24),
        ("Ich bin bis 23.12. im Urlaub. Meine Vertretung ist am 8.12. zurück.", 24),
        ("I am away until 16 December. My colleague is back 7 December and can help.", 17),
        ("I am away until 16 December. My colleague is back on 7 December and can help.", 17),
        ("Telefonzeiten 8.30 - 12.12 Uhr. Ich bin bis 20.12.2026 nicht im Büro.", 21),
        ("Von 8.30 bis 12.12 Uhr ist jemand da. Ich bin bis 20.12.2026 nicht im Büro.", 21),
        ("Messe, 10.1. - 13.1.2027, Halle 4! Ich bin bis 16.12.2026 im Urlaub.", 17),
        ("I am on holiday until 16 December 2026. Expo Real is back 9 January 2027.", 17),
        ("Unser Angebot gilt bis 31.12.2026. Ab 7. Dezember bin ich wieder erreichbar.", 7),
        ("I am out of the office this week. Meet us at the fair, 9 - 12 December 2026.", None),
        ("I am out of the office. My colleague is back 7 December and can help.", None),
        ("Ich bin nicht im Büro. Frau Weber ist ab 8.12. wieder da.", None),
    ],
)
def test_day_that_is_not_of_the_absence_is_not_taken_for_it(text: str, back: int | None) -> None:
    told = return_of(text, RECEIVED)
    assert (told and told.date()) == (back and date(2026, 12, back))


@pytest.mark.parametrize(
    "text",
    ["We answer within 24 hours.", "I have left the company.", "Wir haben Ihre Anfrage erhalten."],
)
def test_answer_that_speaks_of_no_absence_tells_none(text: str) -> None:
    assert not tells_absence("Automatic reply: Offer", text)
