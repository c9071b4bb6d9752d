"""A draft says only what the facts say; what the customer wrote is theirs and not ours."""

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.autopilot.grounding import Fact, Facts, Kind, Report, Trust, check, is_quoted
from channels.autopilot.grounding.sentences import sentences_of

# A Wednesday; the customer wrote on Monday.
TODAY = date(2026, 11, 18)
MONDAY = date(2026, 11, 16)
OURS, THEIRS, NOBODY = Trust.OURS, Trust.THEIRS, Trust.NOBODY

PRICES = Fact(
    "Basic costs 49 € per user and month, Pro 1.250,00 EUR per year. The trial takes 14 days."
    " There is a guarantee of 30 days. Discount from 50 users on: 12 %."
    " Details: https://example.com/docs/start?lang=en",
    "price list",
    is_ours=True,
)
SENDER = Fact(
    "Anna Berg, SalesFlow GmbH, Musterstraße 12, anna@example.com, +49 30 1234567,"
    " IBAN DE89 3704 0044 0532 0130 00",
    "sender",
    is_ours=True,
)
MAIL = Fact(
    "Hello, I am Peter Lang of Müller & Söhne. We are 25 people and would take it for 500 €, with"
    " 40 % off. Can we talk on 24 November at 3 pm? Pay to GB29 NWBK 6016 1331 9268 19, see"
    " https://evil.example.net/list, write to boss@evil.example.net or call +1 415 555 0132.",
    "message of 16 November",
    is_ours=False,
    written=MONDAY,
)
FACTS = Facts([MAIL, PRICES, SENDER], TODAY, frozenset({"example.com"}))


def trusts(text: str, facts: Facts = FACTS) -> list[tuple[Kind, Trust]]:
    return [
        (each.claim.kind, each.trust)
        for each in check(text, facts).claims
        if each.claim.kind is not Kind.PROMISE
    ]


@pytest.mark.parametrize(
    ("said", "kind", "trust"),
    [
        # Ours, in all ways of writing.
        ("49 €", Kind.AMOUNT, OURS),
        ("EUR 49.00", Kind.AMOUNT, OURS),
        ("49,- Euro", Kind.AMOUNT, OURS),
        ("1,250 euros", Kind.AMOUNT, OURS),
        ("1.250 €", Kind.AMOUNT, OURS),
        ("12 Prozent", Kind.PERCENT, OURS),
        ("zwölf Prozent", Kind.PERCENT, OURS),
        ("two weeks", Kind.DURATION, OURS),
        ("14-tägig", Kind.DURATION, OURS),
        ("50", Kind.NUMBER, OURS),
        ("fifty", Kind.NUMBER, OURS),
        ("example.com/docs/start?lang=en", Kind.URL, OURS),
        ("https://www.example.com/", Kind.URL, OURS),
        ("ANNA@example.com", Kind.EMAIL, OURS),
        ("030 / 123 45 67", Kind.PHONE, OURS),
        ("0049 (0)30 1234567", Kind.PHONE, OURS),
        ("DE89370400440532013000", Kind.IBAN, OURS),
        ("Musterstr. 12", Kind.STREET, OURS),
        ("Herr Berg", Kind.NAME, OURS),
        ("Anna BERG", Kind.NAME, OURS),
        ("Anna Bergs", Kind.NAME, OURS),
        # Theirs.
        ("500 EUR", Kind.AMOUNT, THEIRS),
        ("40 percent", Kind.PERCENT, THEIRS),
        ("25", Kind.NUMBER, THEIRS),
        ("24.11.2026", Kind.DATE, THEIRS),
        ("Tuesday", Kind.DATE, THEIRS),
        ("Dienstag, 24. November", Kind.DATE, THEIRS),
        ("15 Uhr", Kind.TIME, THEIRS),
        ("15:00", Kind.TIME, THEIRS),
        ("Peter Lang", Kind.NAME, THEIRS),
        ("GB29NWBK60161331926819", Kind.IBAN, THEIRS),
        ("https://evil.example.net/list", Kind.URL, THEIRS),
        ("boss@evil.example.net", Kind.EMAIL, THEIRS),
        ("+14155550132", Kind.PHONE, THEIRS),
        # Nobody's: another number, another unit, another kind, almost the same.
        ("50 €", Kind.AMOUNT, NOBODY),
        ("49 $", Kind.AMOUNT, NOBODY),
        ("490 €", Kind.AMOUNT, NOBODY),
        ("1,25 €", Kind.AMOUNT, NOBODY),
        ("49,01 €", Kind.AMOUNT, NOBODY),
        ("49", Kind.NUMBER, NOBODY),
        ("12 €", Kind.AMOUNT, NOBODY),
        ("49 %", Kind.PERCENT, NOBODY),
        ("1.2 %", Kind.PERCENT, NOBODY),
        ("14 working days", Kind.DURATION, NOBODY),
        ("14 hours", Kind.DURATION, NOBODY),
        ("14 months", Kind.DURATION, NOBODY),
        ("30", Kind.NUMBER, NOBODY),
        ("24.12.2026", Kind.DATE, NOBODY),
        ("24.11.2027", Kind.DATE, NOBODY),
        ("Monday, 24 November", Kind.DATE, NOBODY),
        ("Friday", Kind.DATE, NOBODY),
        ("tomorrow", Kind.DATE, NOBODY),
        ("3 am", Kind.TIME, NOBODY),
        ("3:30 pm", Kind.TIME, NOBODY),
        ("example.com/docs", Kind.URL, NOBODY),
        ("https://example.com/docs/start?lang=de", Kind.URL, NOBODY),
        ("https://evil.example.com/", Kind.URL, NOBODY),
        ("https://example.com.evil.net/", Kind.URL, NOBODY),
        ("https://еxample.com/", Kind.URL, NOBODY),
        ("https://example.com@evil.net/", Kind.URL, NOBODY),
        ("http://example.com:8080/", Kind.URL, NOBODY),
        ("berg@example.com", Kind.EMAIL, NOBODY),
        ("+49 30 1234568", Kind.PHONE, NOBODY),
        ("+43 30 1234567", Kind.PHONE, NOBODY),
        ("DE89370400440532013001", Kind.IBAN, NOBODY),
        ("Musterstraße 13", Kind.STREET, NOBODY),
        ("Herr Schulze", Kind.NAME, NOBODY),
        # Two people do not make a third.
        ("Anna Lang", Kind.NAME, NOBODY),
        ("Frau Bérg", Kind.NAME, NOBODY),
        ("SKU-77", Kind.CODE, NOBODY),
    ],
)
def test_claim_is_ours_theirs_or_nobodys(said: str, kind: Kind, trust: Trust) -> None:
    assert trusts(f"it is {said} for us.") == [(kind, trust)]


@pytest.mark.parametrize(
    "said",
    [
        "https://evil.example.net/list",
        "boss@evil.example.net",
        "+1 415 555 0132",
        "GB29 NWBK 6016 1331 9268 19",
    ],
)
def test_where_money_and_people_go_is_only_ours_to_say(said: str) -> None:
    report = check(f"Thanks for asking. We agree. Use {said} for it.", FACTS)
    assert report.text == "Thanks for asking. We agree."
    assert [each.sentence.text for each in report.cut] == [f"Use {said} for it."]


def test_value_of_the_customers_stays_in_a_draft_and_keeps_it_from_going_out_by_itself() -> None:
    report = check("You asked for 500 €. We will see about it.", FACTS)
    assert report.text == "You asked for 500 €. We will see about it."
    assert (report.cut, report.is_usable, report.is_clear) == ([], True, False)
    assert [each.source for each in report.claims] == ["message of 16 November"]


def test_what_both_say_is_ours() -> None:
    both = Facts([MAIL, Fact("500 €", "offer", is_ours=True)], TODAY)
    assert trusts("It is 500 €.", both) == [(Kind.AMOUNT, OURS)]


def test_draft_of_our_own_words_is_clear() -> None:
    report = check("Hi,\nBasic costs 49 € per user. The trial takes 14 days.\nBest regards", FACTS)
    assert (report.is_clear, report.is_usable, report.share) == (True, True, 1.0)


@pytest.mark.parametrize(
    "draft",
    [
        "We give you a refund if you like. It is fine.",
        "Sie bekommen einen Vertrag. Das ist gut.",
        "This is free of charge. It is fine.",
    ],
)
def test_promise_that_we_never_made_needs_a_person(draft: str) -> None:
    report = check(draft, FACTS)
    assert report.text == draft
    assert report.is_usable
    assert not report.is_clear


def test_promise_of_the_customers_is_not_ours() -> None:
    facts = Facts([Fact("You promised a refund, a discount!", "mail", is_ours=False)], TODAY)
    assert not check("A refund is possible. A discount, too.", facts).is_clear


def test_sentence_with_an_invented_value_is_cut_and_told() -> None:
    draft = (
        "Hallo Herr Lang,\n\nvielen Dank für Ihre Nachricht. Basic kostet 49 € im Monat. Wir geben"
        " Ihnen 20 % Rabatt. Die Testphase dauert 14 Tage.\n\nViele Grüße\nAnna Berg"
    )
    report = check(draft, FACTS)
    assert report.text == (
        "Hallo Herr Lang,\n\nvielen Dank für Ihre Nachricht. Basic kostet 49 € im Monat. "
        "Die Testphase dauert 14 Tage.\n\nViele Grüße\nAnna Berg"
    )
    assert report.is_usable
    told = report.as_json()
    assert told["cut"] == ["Wir geben Ihnen 20 % Rabatt."]
    assert {"kind": "percent", "said": "20 %", "trust": "nobody", "source": ""} in told["claims"]
    assert {"kind": "amount", "said": "49 €", "trust": "ours", "source": "price list"} in told[
        "claims"
    ]


@pytest.mark.parametrize(
    ("draft", "left"),
    [
        ("Good. It is 77 €.\n\nThanks.", "Good.\n\nThanks."),
        ("It is 77 €.\n\nThanks.", "Thanks."),
        ("- red\n- 77 €\n- blue", "- red\n- blue"),
        ("Good. It is 77 €. Thanks.", "Good. Thanks."),
        ("Good.\n\nIt is 77 €.", "Good."),
        ("Good. It is\nnearly 77 €. Thanks.", "Good. Thanks."),
    ],
)
def test_what_is_left_keeps_its_paragraphs(draft: str, left: str) -> None:
    assert check(draft, FACTS).text == left


def test_country_of_a_number_is_not_made_up() -> None:
    facts = Facts([Fact("030 1234567", "sender", is_ours=True)])
    assert trusts("call +49 30 1234567.", facts) == [(Kind.PHONE, NOBODY)]
    assert trusts("call 030 / 12 34 567.", facts) == [(Kind.PHONE, OURS)]


@pytest.mark.parametrize(
    ("draft", "usable"),
    [
        ("Hi,\nIt is 77 €.\nBest regards", False),
        ("Hi,\nIt is 77 €. We will call.\nBest regards", False),
        ("Hi,\nIt is 77 €. We will call. See you.\nBest regards", True),
        ("Hi,\nWe will call.\nBest regards", True),
        ("Hi,\n\nBest regards", False),
        ("", False),
    ],
)
def test_draft_of_which_too_little_is_left_is_none(draft: str, usable: bool) -> None:
    assert check(draft, FACTS).is_usable == usable


def test_without_facts_nothing_may_be_claimed() -> None:
    assert check("Call 030 1234567 on Tuesday. It is 5 €.", Facts([])).text == ""
    assert check("Thank you for your message.", Facts([])).text == "Thank you for your message."


@pytest.mark.parametrize(
    "text",
    [
        "Thank you very much for your message.",
        "Thanks for getting in touch with us.",
        "Which time would suit you?",
        "Would that suit you?",
        "When would your team be free for a call?",
        "Are you free to talk?",
        "Please feel free to call us at any time.",
        "You are free to call.",
        "May I ask what you need?",
        "First, may I thank you for your interest?",
        "You may write to us whenever you like.",
        "It may or may not be what you are looking for.",
        "What you ask for may take a moment.",
        "This may help, and we march on.",
        "I will get back to you with an answer.",
        "On the other hand, we could also talk.",
        "On the first call we listen.",
        "Let us begin with the first step.",
        "I second that, and am happy to help.",
        "Do you have a few minutes?",
        "I have a few questions.",
        "I have no idea what the reason is.",
        "Our team is in charge of that.",
        "A third colleague will join us.",
        "The system is free of faults.",
        "Have a nice weekend!",
        "Vielen Dank für Ihre Nachricht.",
        "Im Voraus vielen Dank.",
        "im Voraus vielen Dank",
        "Das machen wir auf keinen Fall.",
        "Wann passt es Ihnen am besten?",
        "Würde Ihnen das passen?",
        "Sind Sie am Vormittag frei?",
        "Wir sind frei erreichbar.",
        "Der Termin ist noch frei.",
        "Gerne rufen wir Sie an.",
        "Melden Sie sich gern jederzeit.",
        "Ich habe ein paar Fragen.",
        "Haben Sie dafür ein paar Minuten?",
        "Schönes Wochenende!",
        "Ich wünsche Ihnen ein schönes Wochenende.",
        "Am Ende entscheiden Sie.",
        "In der Mitte steht der Mensch.",
        "Zum einen helfen wir gern, zum anderen fragen wir nach.",
        "Beim ersten Gespräch hören wir zu.",
        "Am ersten Tag zeigen wir Ihnen alles.",
        "Nach dem Gespräch melden wir uns.",
        "Vor allem möchten wir Ihnen danken.",
        "Wir achten auf Ihre Wünsche.",
        "Wir freuen uns auf ein unverbindliches Gespräch.",
        "Zur Terminvereinbarung melden Sie sich gern.",
        "Wir danken Ihnen gebührend.",
        "Die Daten werden übertragen.",
        "Könnten Sie uns das bitte noch einmal schicken?",
    ],
)
@pytest.mark.parametrize("written", [str, str.lower])
def test_polite_sentence_claims_nothing(text: str, written: Callable[[str], str]) -> None:
    text = written(text)
    report = check(text, Facts([], TODAY))
    assert (report.text, report.claims) == (text, [])


@pytest.mark.parametrize(
    "text",
    [
        "It starts in March. Good to know.",
        "Anfang Mai geht es los. Gut zu wissen.",
        "Es geht am fünften Mai los. Gut zu wissen.",
        "We call on the next business day. Good to know.",
        "You save a third. Good to know.",
        "Das dauert anderthalb Wochen. Gut zu wissen.",
        "It is there within a few days. Good to know.",
        "Das sind null Euro. Gut zu wissen.",
    ],
)
def test_value_in_words_that_nobody_said_is_cut(text: str) -> None:
    assert len(check(text, FACTS).cut) == 1
    known = Facts([Fact(text, "itself", is_ours=True, written=TODAY)], TODAY)
    assert check(text, known).is_clear


def test_promise_of_another_kind_than_ours_needs_a_person() -> None:
    facts = Facts([Fact("Den Preis nennt die Liste.", "price list", is_ours=True)], TODAY)
    assert check("Den Preis nennt die Liste.", facts).is_clear
    assert not check("Die Kostenerstattung ist sicher.", facts).is_clear


# --- Days ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said", "today", "draft", "trust"),
    [
        (MONDAY, "tomorrow", MONDAY, "tomorrow", THEIRS),
        # What was tomorrow on Monday is not tomorrow on Wednesday.
        (MONDAY, "tomorrow", TODAY, "tomorrow", NOBODY),
        (MONDAY, "tomorrow", TODAY, "yesterday", THEIRS),
        (MONDAY, "am Dienstag", TODAY, "Tuesday", NOBODY),
        (MONDAY, "next Tuesday", TODAY, "24.11.", NOBODY),
        (MONDAY, "nächsten Dienstag", MONDAY, "next Tuesday", THEIRS),
        (MONDAY, "Friday", TODAY, "am 20. November", THEIRS),
        (MONDAY, "24.11.", TODAY, "next week", THEIRS),
        (MONDAY, "24.11.", TODAY, "im November 2026", THEIRS),
        (MONDAY, "next week", TODAY, "24.11.", NOBODY),
        (MONDAY, "05/06/2027", TODAY, "5. Juni 2027", NOBODY),
        (MONDAY, "05/06/2027", TODAY, "05/06/2027", THEIRS),
        (MONDAY, "5 June 2027", TODAY, "05/06/2027", NOBODY),
        (None, "tomorrow", TODAY, "tomorrow", NOBODY),
        # The day of their message we know ourselves.
        (MONDAY, "Hello", TODAY, "am 16.11.", OURS),
        (MONDAY, "Hello", MONDAY, "today", OURS),
        (date(2026, 12, 30), "am 2. Januar", date(2026, 12, 31), "02.01.2027", THEIRS),
        (date(2028, 2, 28), "tomorrow", date(2028, 3, 1), "on 29 February", THEIRS),
    ],
)
def test_days_mean_what_they_meant_when_written(
    written: date | None, said: str, today: date, draft: str, trust: Trust
) -> None:
    facts = Facts([Fact(said, "mail", is_ours=False, written=written)], today)
    assert trusts(f"it is {draft}.", facts) == [(Kind.DATE, trust)]


# --- Sentences -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four…", ["One.", "Two!", "Three?", "Four…"]),
        ("Das kostet z. B. 5 €. Gut.", ["Das kostet z. B. 5 €.", "Gut."]),
        ("Dr. A. Berg calls. Mr. Lang, too.", ["Dr. A. Berg calls.", "Mr. Lang, too."]),
        ("Am 24. November geht es. Ja.", ["Am 24. November geht es.", "Ja."]),
        ("It costs 1.250,00 EUR. See example.com. Bye.",
         ["It costs 1.250,00 EUR.", "See example.com.", "Bye."]),
        ("Hi Anna,\nthanks.\n\n- one\n- two", ["Hi Anna,", "thanks.", "- one", "- two"]),
        ("This line was\nbroken to fit. Next.", ["This line was\nbroken to fit.", "Next."]),
        ('"Yes." (No.) Maybe', ['"Yes."', "(No.)", "Maybe"]),
        ("", []),
        (" \n ", []),
    ],
)  # fmt: skip
def test_sentences(text: str, sentences: list[str]) -> None:
    assert [each.text for each in sentences_of(text)] == sentences


@given(st.text("ab .!?\n1,€AZü", max_size=80))
def test_sentences_together_are_the_text(text: str) -> None:
    found = sentences_of(text)
    assert "".join(text[each.start : each.end] for each in found).strip() == text.strip()
    assert all(found[at].end == found[at + 1].start for at in range(len(found) - 1))


def test_sentence_is_not_broken_within_a_claim() -> None:
    draft = "We sit at Musterstr. 13 in town. Come in."
    assert check(draft, FACTS).text == "Come in."


# --- Against other ways to find out --------------------------------------------------------------

PIECES = [
    "49 €",
    "EUR 1.250,00",
    "12 %",
    "zwei Wochen",
    "25 users",
    "24.11.2026",
    "15 Uhr",
    "next Tuesday",
    "Peter Lang",
    "anna@example.com",
    "+49 30 1234567",
    "https://example.com/a?b=1",
    "DE89 3704 0044 0532 0130 00",
    "Musterstraße 12",
    "SKU-77",
    "we will call",
    "das passt gut",
    "Vertrag",
]
drafts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(
    lambda parts: " ".join(f"it is {part}." for part in parts)
)


@given(drafts)
def test_what_is_a_fact_word_for_word_is_never_cut(text: str) -> None:
    facts = Facts([Fact(text, "itself", is_ours=True, written=TODAY)], TODAY)
    report = check(text, facts)
    assert report.text == text
    assert report.is_clear


@given(drafts)
def test_without_facts_only_sentences_without_a_claim_stay(text: str) -> None:
    kept = check(text, Facts([])).text
    assert set(re.findall(r"it is (.+?)\.(?: |$)", kept)) <= {*PIECES[-3:]}


@given(
    st.lists(st.decimals(1, 99_999, places=2), min_size=1, max_size=4),
    st.decimals(1, 99_999, places=2),
    st.sampled_from(["{:,.2f} €", "EUR {:,.2f}", "{:.2f} Euro", "german"]),
)
def test_amount_stays_exactly_if_it_is_among_the_facts(
    known: Sequence[Decimal], said: Decimal, style: str
) -> None:
    if style == "german":
        written = f"{said:,.2f} €".translate(str.maketrans(",.", ".,"))
    else:
        written = style.format(said)
    facts = Facts([Fact(" und ".join(f"{each:.2f} EUR" for each in known), "list", is_ours=True)])
    kept = check(f"it is {written}. we call. you see.", facts).text
    assert (written in kept) == (said in known)


@given(st.dates(date(2000, 1, 1), date(2060, 12, 31)), st.integers(-3, 3))
def test_day_stays_exactly_if_it_is_the_one(day: date, off: int) -> None:
    said = day + timedelta(days=off)
    facts = Facts([Fact(f"{day:%Y-%m-%d}", "note", is_ours=True)], day)
    for written in (
        f"{said:%d.%m.%Y}",
        f"{said.day} {said:%B %Y}",
        f"{said:%A}, {said:%B} {said.day}, {said.year}",
    ):
        assert bool(check(f"it is {written}.", facts).cut) == (off != 0), written


@given(st.text(max_size=200))
def test_any_text_can_be_checked(text: str) -> None:
    report: Report = check(text, FACTS)
    assert len(report.text) <= len(text)
    assert 0 <= report.share <= 1


HOSTILE = ["1." * 5000, "1,1" * 3000, "+1 " * 4000, "A " * 5000, "a.b" * 4000, "Dr. " * 3000,
           "z. " * 4000, "am 1." * 2000, "@" * 9000, "http:" * 2000, "1-" * 5000, "zwei" * 3000,
           "Main " * 3000, "DE00" * 2500, "0 " * 5000, "€" * 9000, "[.]a" * 2500,
           "May or " * 1500, "in may " * 1500, "am ersten " * 1000, "on the first " * 800,
           "twenty-" * 1500, "einund" * 1700, "preiskosten" * 900, "rabat " * 1700,
           ("a" * 40 + " ") * 250, "no extra " * 1200, "it is " * 1700, "ist der " * 1300,
           "free free " * 1000, "next few " * 1200, "two and a half " * 700]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:6] for text in HOSTILE])
def test_text_made_to_keep_us_busy_does_not(text: str) -> None:
    check(text[:10_000], FACTS)


# --- Quotes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "quote", "source", "holds"),
    [
        ("25 people", "We are 25 people", MAIL.text, True),
        ("Peter\nLang", "I am Peter  Lang of", MAIL.text, True),
        ("25", "We are 25 people", MAIL.text, True),
        ("2", "We are 25 people", MAIL.text, False),
        ("26", "We are 25 people", MAIL.text, False),
        ("25 people", "we are 25 people", MAIL.text, False),
        ("25 people", "We are 25 people in Berlin", MAIL.text, False),
        ("25 people", "", MAIL.text, False),
        ("", "We are 25 people", MAIL.text, False),
        (" . ", "We are 25 people", MAIL.text, False),
        ("", "", "", False),
    ],
)
def test_value_needs_its_quote_and_the_quote_its_source(
    value: str, quote: str, source: str, holds: bool
) -> None:
    assert is_quoted(value, quote, source) == holds
