"""What a text claims, in normal form: English and German, one table a kind."""

from collections.abc import Callable, Hashable
from datetime import date
from decimal import Decimal

import pytest

from channels.autopilot.grounding import Kind, claims_of
from channels.autopilot.grounding.numbers import number_of

# A Wednesday.
WRITTEN = date(2026, 11, 18)


def found(text: str, kind: Kind, written: date | None = WRITTEN) -> list[object]:
    """The values of a text's claims of a kind; of one with a single value the value itself."""
    values = [each.values for each in claims_of(text, written) if each.kind is kind]
    return [next(iter(each)) if len(each) == 1 else each for each in values]


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("5", "5"),
        ("1000", "1000"),
        ("1.000", "1000"),
        ("1,000", "1000"),
        ("1.000,00", "1000"),
        ("1,000.00", "1000"),
        ("1'000.50", "1000.5"),
        ("1’000", "1000"),
        ("1 000,50", "1000.5"),
        ("1\u00a0000", "1000"),
        ("1\u202f000\u202f000", "1000000"),
        ("1.000.000", "1000000"),
        ("1,000,000.5", "1000000.5"),
        ("1.5", "1.5"),
        ("1,5", "1.5"),
        ("12,50", "12.5"),
        ("0.125", "0.125"),
        ("0,999", "0.999"),
        ("12.3456", "12.3456"),
        ("1234.567", "1234.567"),
        ("007", "7"),
        ("twelve", "12"),
        ("zwölf", "12"),
        ("Twenty-five", "25"),
        ("twenty five", "25"),
        ("fünfundzwanzig", "25"),
        ("einundzwanzig", "21"),
        ("dreihundert", "300"),
        ("three hundred", "300"),
        ("zweitausend", "2000"),
        ("a dozen", "12"),
        ("Dutzend", "12"),
        ("einhundert", "100"),
        ("fünfhundertfünfzig", "550"),
        ("zweitausendfünfhundert", "2500"),
        ("zwölftausenddreihunderteinundzwanzig", "12321"),
        ("tausendundeins", "1001"),
        ("five hundred and fifty", "550"),
        ("two thousand five hundred", "2500"),
        ("twelve hundred", "1200"),
        ("nineteen thousand and one", "19001"),
        ("half an", "0.5"),
        ("anderthalb", "1.5"),
        ("dreieinhalb", "3.5"),
        ("two and a half", "2.5"),
        ("null", "0"),
        ("Zero", "0"),
        ("a week", None),
        ("seventh", None),
        ("3.11.2", None),
        ("1.00.000", None),
        ("1,000.000,00", None),
        ("12.3.4", None),
        ("", None),
    ],
)
def test_number_is_read(said: str, number: str | None) -> None:
    assert number_of(said) == (None if number is None else Decimal(number))


@pytest.mark.parametrize(
    "words",
    [
        "two",
        "nineteen",
        "ninety-nine",
        "a hundred",
        "one hundred",
        "three hundred and two",
        "dozen",
        "twelve thousand",
        "zwei",
        "dreissig",
        "dreißig",
        "siebenundachtzig",
        "hundert",
        "neunhundert",
        "tausend",
        "einundzwanzigtausend",
        "ein Dutzend",
    ],
)
def test_number_in_words_is_found_whole_in_a_text(words: str) -> None:
    assert found(f"Es sind {words} Gläser", Kind.NUMBER) == [number_of(words)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("We have thousands of customers", ["thousands"]),
        ("Wir haben Tausende Kunden", ["thousands"]),
        ("One million users", [10**6]),
        ("zwei Millionen Kunden", [2 * 10**6]),
        ("zehnmal schneller", [10]),
        ("a tenfold increase", [10]),
        ("ten-fold", [10]),
        ("zum halben Preis", ["half"]),
        ("You pay half of it", ["half"]),
        ("um die Hälfte", ["half"]),
        ("½ of that", ["half"]),
        ("ein Drittel davon", ["third"]),
        ("a third of it", ["third"]),
        ("A third colleague. One fifth try", []),
        ("You save a third.", ["third"]),
        ("That is a tenth", ["tenth"]),
        ("a fifth less", ["fifth"]),
        ("two-thirds of it", ["two_thirds"]),
        ("zwei Drittel der Kunden", ["two_thirds"]),
        ("drei Viertel davon", ["three_quarters"]),
        ("ein Zehntel", ["tenth"]),
        ("ein Viertel nach", []),
        ("ein Viertel davon", ["quarter"]),
        ("twice as fast", ["double"]),
        ("doppelt so schnell", ["double"]),
        ("I will double-check it", []),
        ("on behalf of the team", []),
    ],
)
def test_shares_and_large_numbers_count_without_digits(text: str, values: list[object]) -> None:
    assert found(text, Kind.NUMBER) == values


def test_half_an_hour_is_no_hour() -> None:
    assert found("half an hour", Kind.DURATION) == [("second", Decimal(1800))]
    assert found("eine halbe Stunde", Kind.DURATION) == [("second", Decimal(1800))]
    assert found("a fortnight", Kind.DURATION) == found("14 days", Kind.DURATION)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("We deliver by Christmas", [("feast", "christmas")]),
        ("Wir liefern vor Weihnachten", [("feast", "christmas")]),
        ("Merry Christmas to all of you", []),
        ("by the end of the month", [("end", "month")]),
        ("bis Ende des Monats", [("end", "month")]),
        ("zum Monatsende", [("end", "month")]),
        ("at the end of the day", [("end", "day")]),
        ("schönes Wochenende", []),
        ("im dritten Quartal", [("quarter", WRITTEN.year, 3)]),
        ("in the fourth quarter", [("quarter", WRITTEN.year, 4)]),
    ],
)
def test_deadline_without_a_date_is_one(text: str, values: list[object]) -> None:
    assert found(text, Kind.DATE) == values


@pytest.mark.parametrize(
    "said", ["evil。example", "evil．example", "evil dot com", "evil punkt de"]
)
def test_address_is_found_whatever_its_dots_are(said: str) -> None:
    [value] = found(f"See {said} for it", Kind.URL)
    assert value in ("evil.example", "evil.com", "evil.de")


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("49 €", [("EUR", 49)]),
        ("€49", [("EUR", 49)]),
        ("EUR 1.250,00", [("EUR", 1250)]),
        ("1.250,00 Euro", [("EUR", 1250)]),
        ("1,250.00 euros", [("EUR", 1250)]),
        ("500,- €", [("EUR", 500)]),
        ("500,-- Euro", [("EUR", 500)]),
        ("Fr. oder CHF 99.–", [("CHF", 99)]),
        ("$1.5k", [("USD", 1500)]),
        ("US$ 2 million", [("USD", 2_000_000)]),
        ("2 Mio. €", [("EUR", 2_000_000)]),
        ("3,5 Tsd. Euro", [("EUR", 3500)]),
        ("10k EUR", [("EUR", 10_000)]),
        ("£5m", [("GBP", 5_000_000)]),
        ("fünfzig Euro", [("EUR", 50)]),
        ("twenty dollars", [("USD", 20)]),
        ("a euro", [("EUR", 1)]),
        ("null Euro", [("EUR", 0)]),
        ("zero dollars", [("USD", 0)]),
        ("null und nichtig", []),
        ("10 bis 15 €", [("EUR", 10), ("EUR", 15)]),
        ("10-15 €", [("EUR", 10), ("EUR", 15)]),
        ("€10–15", [("EUR", 10), ("EUR", 15)]),
        ("50 Cent", [("cent", 50)]),
        ("1.200 PLN", [("PLN", 1200)]),
        ("49 €/Monat", [("EUR", 49)]),
        ("49€ and 59€", [("EUR", 49), ("EUR", 59)]),
        ("5.000 € 300 Stück", [("EUR", 5000)]),
        ("4900", []),
        ("Euro", []),
        ("+49 30 1234567", []),
    ],
)
def test_amounts(text: str, amounts: list[tuple[str, int]]) -> None:
    assert found(text, Kind.AMOUNT) == amounts


@pytest.mark.parametrize(
    ("text", "percents"),
    [
        ("12 %", [12]),
        ("12%", [12]),
        ("12,5 Prozent", [Decimal("12.5")]),
        ("12.5 percent", [Decimal("12.5")]),
        ("zwanzig Prozent", [20]),
        ("twenty per cent", [20]),
        ("20-prozentig", [20]),
        ("zwanzigprozentigen", [20]),
        ("10 to 15 %", [10, 15]),
        ("5–10%", [5, 10]),
        ("-10 %", [10]),
        ("12", []),
    ],
)
def test_percents(text: str, percents: list[object]) -> None:
    assert found(text, Kind.PERCENT) == [("percent", number) for number in percents]


@pytest.mark.parametrize(
    ("text", "durations"),
    [
        ("14 days", [("day", 14)]),
        ("14 Tage", [("day", 14)]),
        ("two weeks", [("day", 14)]),
        ("zwei Wochen", [("day", 14)]),
        ("14-day trial", [("day", 14)]),
        ("vierzehntägig", [("day", 14)]),
        ("14-tägige", [("day", 14)]),
        ("a week", [("day", 7)]),
        ("einem Monat", [("month", 1)]),
        ("1 year", [("month", 12)]),
        ("zwölf Monaten", [("month", 12)]),
        ("24 h", [("second", 86400)]),
        ("24 Std.", [("second", 86400)]),
        ("30 Minuten", [("second", 1800)]),
        ("90 min", [("second", 5400)]),
        ("5 working days", [("workday", 5)]),
        ("5 Werktage", [("workday", 5)]),
        ("drei Arbeitstagen", [("workday", 3)]),
        ("2 bis 3 Wochen", [("day", 14), ("day", 21)]),
        ("10–14 days", [("day", 10), ("day", 14)]),
        ("2 Quartale", [("month", 6)]),
        ("anderthalb Wochen", [("day", Decimal("10.5"))]),
        ("Eineinhalb Stunden", [("second", 5400)]),
        ("zweieinhalb Jahre", [("month", 30)]),
        ("one and a half days", [("day", Decimal("1.5"))]),
        ("a few days", [("few", "day", 1)]),
        ("within a few days", [("few", "day", 1)]),
        ("ein paar Tage", [("few", "day", 1)]),
        ("In wenigen Tagen", [("few", "day", 1)]),
        ("in den nächsten Tagen", [("few", "day", 1)]),
        ("over the next few weeks", [("few", "day", 7)]),
        ("mehrere Wochen", [("few", "day", 7)]),
        ("a few business days", [("few", "workday", 1)]),
        ("in a few minutes", [("few", "second", 60)]),
        ("in den nächsten paar Minuten", [("few", "second", 60)]),
        ("Have you got a few minutes?", []),
        ("Haben Sie ein paar Minuten Zeit?", []),
        ("zwei Wochenenden", []),
        ("days", []),
    ],
)
def test_durations(text: str, durations: list[object]) -> None:
    assert found(text, Kind.DURATION) == durations


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("25 users", [25]),
        ("fünf Lizenzen", [5]),
        ("2,5k users", [2500]),
        ("2 Mio. Kunden", [2_000_000]),
        ("1. First\n2. Second\n(3) Third", []),
        ("two questions", []),
        ("zwei Fragen", []),
        ("a question", []),
        ("one moment", []),
        ("5-10 users", [5, 10]),
        ("24/7", [24, 7]),
        ("You have 24. Good", [24]),
        ("3 x 4", [3, 4]),
    ],
)
def test_plain_numbers(text: str, numbers: list[int]) -> None:
    assert found(text, Kind.NUMBER) == numbers


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Version 3.11.2", ["3.11.2"]),
        ("A4 und SKU-123", ["a4", "sku-123"]),
        ("24x7", ["24x7"]),
        ("v2.0", ["v2.0"]),
    ],
)
def test_codes(text: str, codes: list[str]) -> None:
    assert found(text, Kind.CODE) == codes


def day(*parts: int) -> tuple[str, date]:
    return ("day", date(*parts))


BOTH = frozenset({day(2026, 5, 6), day(2026, 6, 5)})
NEXT = frozenset({day(2026, 11, 24), day(2026, 12, 1)})


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("2026-11-24", [day(2026, 11, 24)]),
        ("24.11.2026", [day(2026, 11, 24)]),
        ("24.11.26", [day(2026, 11, 24)]),
        ("24. 11. 2026", [day(2026, 11, 24)]),
        ("am 24.11. um", [day(2026, 11, 24)]),
        ("01.02.", [day(2027, 2, 1)]),
        ("24 November 2026", [day(2026, 11, 24)]),
        ("November 24th, 2026", [day(2026, 11, 24)]),
        ("Nov 24", [day(2026, 11, 24)]),
        ("24. November", [day(2026, 11, 24)]),
        ("the 24th of November", [day(2026, 11, 24)]),
        ("3. März", [day(2027, 3, 3)]),
        ("May 5", [day(2027, 5, 5)]),
        ("5. Mai 2027", [day(2027, 5, 5)]),
        ("Dienstag, den 24. November 2026", [day(2026, 11, 24)]),
        ("Tuesday, 24 November", [day(2026, 11, 24)]),
        ("Tue 24.11.2026", [day(2026, 11, 24)]),
        # That day is no Monday.
        ("Montag, 24.11.2026", [frozenset()]),
        ("Monday, November 24", [frozenset()]),
        ("31.02.2026", [frozenset()]),
        ("30 February 2027", [frozenset()]),
        ("29.02.2028", [day(2028, 2, 29)]),
        ("24/11/2026", [day(2026, 11, 24)]),
        ("11/24/2026", [day(2026, 11, 24)]),
        ("05/06/2026", [BOTH]),
        ("06/06/2026", [day(2026, 6, 6)]),
        ("today", [day(2026, 11, 18)]),
        ("heute Abend", [day(2026, 11, 18)]),
        ("tomorrow", [day(2026, 11, 19)]),
        ("morgen früh", [day(2026, 11, 19)]),
        ("Morgen rufe ich an", [day(2026, 11, 19)]),
        ("Guten Morgen", []),
        ("jeden Morgen", []),
        ("übermorgen", [day(2026, 11, 20)]),
        ("the day after tomorrow", [day(2026, 11, 20)]),
        ("gestern", [day(2026, 11, 17)]),
        ("the day before yesterday", [day(2026, 11, 16)]),
        ("on Tuesday", [day(2026, 11, 24)]),
        ("am Dienstag", [day(2026, 11, 24)]),
        ("on Wednesday", [day(2026, 11, 25)]),
        ("Freitagabend", [day(2026, 11, 20)]),
        ("next Tuesday", [NEXT]),
        ("nächsten Dienstag", [NEXT]),
        ("last Tuesday", [day(2026, 11, 17)]),
        ("in November 2026", [("month", 2026, 11)]),
        ("im März", [("month", 2027, 3)]),
        ("by May", [("month", 2027, 5)]),
        ("bis Dezember", [("month", 2026, 12)]),
        ("next week", [("week", 2026, 48)]),
        ("diese Woche", [("week", 2026, 47)]),
        ("next month", [("month", 2026, 12)]),
        ("nächstes Jahr", [("year", 2027)]),
        ("last quarter", [("quarter", 2026, 3)]),
        ("nächstes Quartal", [("quarter", 2027, 1)]),
        ("Q3 2027", [("quarter", 2027, 3)]),
        ("Q1", [("quarter", 2026, 1)]),
        ("KW 48", [("week", 2026, 48)]),
        ("You may call. March on!", []),
        ("the sun, a mon ami, so do we", []),
        ("24/7", []),
        ("version 1.2.3", []),
    ],
)
def test_dates(text: str, dates: list[Hashable]) -> None:
    assert found(text, Kind.DATE) == dates


MAY, MARCH = ("month", 2027, 5), ("month", 2027, 3)
JUNE, JULY, AUGUST = ("month", 2026, 6), ("month", 2026, 7), ("month", 2026, 8)


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("Anfang Mai geht es los.", [MAY]),
        ("Ende Juni ist es da.", [JUNE]),
        ("Mitte März liefern wir.", [MARCH]),
        ("Im März liefern wir.", [MARCH]),
        ("Ab Juni ist es da.", [JUNE]),
        ("Im Laufe des Mai", [MAY]),
        ("Vor Mai.", [MAY]),
        ("Nach Mai", [MAY]),
        ("Zum Juli", [JULY]),
        ("Spätestens Mai.", [MAY]),
        ("Spätestens im Juli", [JULY]),
        ("Der Juli passt.", [JULY]),
        ("Mai oder August passt.", [MAY, AUGUST]),
        ("April/Mai", [("month", 2027, 4), MAY]),
        ("Zwischen Mai und Juli", [MAY, JULY]),
        ("In March we deliver.", [MARCH]),
        ("In early March", [MARCH]),
        ("By June it is ready.", [JUNE]),
        ("It will be ready before May.", [MAY]),
        ("It is ready after May", [MAY]),
        ("It is ready within May.", [MAY]),
        ("It is ready around May!", [MAY]),
        ("Mid-June is fine", [JUNE]),
    ],
)
@pytest.mark.parametrize("written", [str, str.lower, str.upper])
def test_month_is_a_date_in_small_letters_and_capitals(
    text: str, months: list[Hashable], written: Callable[[str], str]
) -> None:
    assert found(written(text), Kind.DATE) == months


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("May or August would suit.", [MAY, AUGUST]),
        ("between May and July", [MAY, JULY]),
        ("You may or may not like it, and may march on.", []),
        ("What we ask for may change. This may, of course, be so.", []),
        ("May I ask? March on! First may we ask. First May I ask.", []),
        ("Frau Mai ruft an, Herr Mai auch. June May will call.", []),
    ],
)
def test_verb_or_name_is_no_month(text: str, months: list[Hashable]) -> None:
    assert found(text, Kind.DATE) == months


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("Am fünften Mai", [day(2027, 5, 5)]),
        ("am dritten Juni", [day(2026, 6, 3)]),
        ("Am ersten Mai 2028", [day(2028, 5, 1)]),
        ("der achte Dezember", [day(2026, 12, 8)]),
        ("Dienstag, den vierundzwanzigsten November", [day(2026, 11, 24)]),
        # That day is no Monday.
        ("Montag, den vierundzwanzigsten November", [frozenset()]),
        ("am dreißigsten Februar 2027", [frozenset()]),
        ("am einunddreissigsten Januar", [day(2027, 1, 31)]),
        ("On May fifth", [day(2027, 5, 5)]),
        ("On March the twenty-first, 2028", [day(2028, 3, 21)]),
        ("the fifth of May", [day(2027, 5, 5)]),
        ("the twenty first of January", [day(2027, 1, 21)]),
        ("on the twentieth", [day(2026, 11, 20)]),
        ("On the eighteenth we call.", [day(2026, 11, 18)]),
        ("By the tenth we deliver.", [day(2026, 12, 10)]),
        ("am einunddreißigsten.", [day(2026, 12, 31)]),
        ("Bis zum Fünften", [day(2026, 12, 5)]),
        ("Am nächsten Werktag", [("next", "workday")]),
        ("am übernächsten Arbeitstag", [("later", "workday")]),
        ("The next business day", [("next", "workday")]),
        ("next-day delivery", [("next", "day")]),
        ("on the same day", [("same", "day")]),
        ("Am Wochenende", [("weekend", 2026, 47)]),
        ("At the weekend", [("weekend", 2026, 47)]),
        ("nächstes Wochenende", [("weekend", 2026, 48)]),
        ("on the third floor, on the first call, by the second attempt", []),
        ("am ersten Tag, beim zweiten Mal, am dritten Standort", []),
        ("Wir achten darauf. A second-hand one", []),
        ("Have a nice weekend! Schönes Wochenende!", []),
    ],
)
@pytest.mark.parametrize("written", [str, str.lower, str.upper])
def test_day_in_words_is_a_date(
    text: str, dates: list[Hashable], written: Callable[[str], str]
) -> None:
    assert found(written(text), Kind.DATE) == dates


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "am Dienstag",
        "24.11.",
        "next week",
        "im März",
        "Q1",
        "am fünften",
        "am Wochenende",
        "am ersten Mai",
    ],
)
def test_relative_days_mean_nothing_in_a_text_of_unknown_age(text: str) -> None:
    assert found(text, Kind.DATE, None) == [frozenset()]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("15:00", [900]),
        ("15 Uhr", [900]),
        ("15.30 Uhr", [930]),
        ("15:30 Uhr", [930]),
        ("3 pm", [900]),
        ("3pm", [900]),
        ("3:15 p.m.", [915]),
        ("12 am", [0]),
        ("12 pm", [720]),
        ("9 a.m.", [540]),
        ("noon", [720]),
        ("Mitternacht", [0]),
        ("24 Uhr", [0]),
        ("9-17 Uhr", [540, 1020]),
        ("9 bis 17 Uhr", [540, 1020]),
        ("9:00–17:00", [540, 1020]),
        ("between 9 and 11 am", [540, 660]),
        ("3 o'clock", [frozenset({180, 900})]),
        ("halb drei", [frozenset({150, 870})]),
        ("25 Uhr", [frozenset()]),
        ("13 pm", [frozenset()]),
        ("15", []),
    ],
)
def test_times(text: str, times: list[object]) -> None:
    assert found(text, Kind.TIME) == times


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("https://example.com/a/b?c=1.", ["example.com/a/b?c=1"]),
        ("http://www.Example.com/", ["example.com"]),
        ("see example.com/docs, please", ["example.com/docs"]),
        ("(https://example.com)", ["example.com"]),
        (
            "https://example.com:443/x https://example.com:8443/x",
            ["example.com/x", "example.com:8443/x"],
        ),
        ("https://example.com/%61", ["example.com/a"]),
        ("hxxps://evil.example.net/a", ["evil.example.net/a"]),
        ("evil[.]example[.]net", ["evil.example.net"]),
        ("evil (dot) example (dot) net", ["evil.example.net"]),
        ("https://example.com@evil.example.net/", [frozenset()]),
        ("https://example.com\\@evil.example.net", [frozenset()]),
        ("javascript:alert(1)", [frozenset()]),
        ("data:text/html;base64,AAAA", [frozenset()]),
        ("https://еxample.com", ["еxample.com"]),
        ("http://192.0.2.7/x", ["192.0.2.7/x"]),
        ("192.0.2.7:8080", ["192.0.2.7:8080"]),
        ("z. B. u.a. e.g. i.e. d.h.", []),
        ("Das war es.Wir melden uns", ["es.wir"]),
        ("me@example.com", []),
    ],
)
def test_urls(text: str, urls: list[object]) -> None:
    assert found(text, Kind.URL) == urls


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("Anna.Berg+x@Example.com.", Kind.EMAIL, ["anna.berg+x@example.com"]),
        ("mailto:a@example.com", Kind.EMAIL, ["a@example.com"]),
        ("+49 (0)30 123 45 67", Kind.PHONE, ["+49301234567"]),
        ("0049 30 1234567", Kind.PHONE, ["+49301234567"]),
        ("030/123 45 67", Kind.PHONE, ["0301234567"]),
        ("(030) 1234567", Kind.PHONE, ["0301234567"]),
        ("+1 415-555-0132", Kind.PHONE, ["+14155550132"]),
        ("0,50 €", Kind.PHONE, []),
        ("01.02.2026", Kind.PHONE, []),
        ("DE89 3704 0044 0532 0130 00", Kind.IBAN, ["DE89370400440532013000"]),
        ("de89370400440532013000", Kind.IBAN, ["DE89370400440532013000"]),
        ("GB29 NWBK 6016 1331 9268 19", Kind.IBAN, ["GB29NWBK60161331926819"]),
        ("Musterstraße 12", Kind.STREET, ["musterstr12"]),
        ("Musterstr. 12", Kind.STREET, ["musterstr12"]),
        ("Musterstrasse 12a", Kind.STREET, ["musterstr12a"]),
        ("12 Main Street", Kind.STREET, ["12mainst"]),
        ("12 Main St.", Kind.STREET, ["12mainst"]),
        ("Am alten Weg 3", Kind.STREET, ["weg3"]),
        ("Hinter dem Alten Markt Platz 3", Kind.STREET, ["altenmarktplatz3"]),
        ("it is Musterstraße 12", Kind.STREET, ["musterstr12"]),
    ],
)
def test_addresses(text: str, kind: Kind, values: list[str]) -> None:
    assert found(text, kind) == values


def names(text: str) -> list[str]:
    return [each.said for each in claims_of(text, WRITTEN) if each.kind is Kind.NAME]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi Peter, thanks for your message.", ["Peter"]),
        ("Hi there,\nthanks a lot.", []),
        ("Dear Ms Berg,", ["Berg"]),
        ("Dear Sir or Madam,", []),
        ("I talked to Peter Lang at Acme about it.", ["Peter Lang", "Acme"]),
        ("Acme offers that, too.", ["Acme"]),
        ("Peter will call you.", ["Peter"]),
        ("Delivery is fast. Pricing depends on the size. Support will help.", []),
        ("Unfortunately we cannot. Looking forward to it! Great, thanks.", []),
        ("It runs on SalesFlow with the API and a PDF.", ["SalesFlow"]),
        ("We met in Berlin.", ["Berlin"]),
        ("We can talk on Monday in English.", []),
        ("Best regards\nAnna Berg", ["Anna Berg"]),
        ("I'd say you're right. I’ll write.", []),
        ("Anna von Berg and Ernst & Young agreed to it.", ["Anna von Berg and Ernst & Young"]),
        ("That is Peter's idea.", ["Peter's"]),
    ],
)
def test_names_in_english(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hallo Herr Lang, vielen Dank für Ihre Nachricht.", ["Lang"]),
        ("Sehr geehrte Frau Dr. Müller-Lüdenscheidt,\nwir danken Ihnen.", ["Müller-Lüdenscheidt"]),
        ("Sehr geehrte Damen und Herren,\nwir melden uns.", []),
        ("Liebe Anna, das Angebot ist da.", ["Anna"]),
        ("Guten Tag Herr Berg, der Vertrag ist da.", ["Berg"]),
        ("Wir haben mit Peter gesprochen.", ["Peter"]),
        ("Wir haben mit der Acme GmbH gesprochen.", ["Acme"]),
        ("Der Vertrag und das Angebot sind in der Post, die Lieferung folgt.", []),
        ("Gerne senden wir Ihnen die Unterlagen. Bei Fragen sind wir da.", []),
        ("Das läuft mit SalesFlow über die API.", ["SalesFlow"]),
        ("Viele Grüße\nAnna Berg", ["Anna Berg"]),
        ("Mit freundlichen Grüßen\nIhr Team", []),
        ("Die Firma Müller & Söhne nutzt das.", ["Müller & Söhne"]),
        ("Anna Berg meldet sich bei Ihnen.", ["Anna Berg"]),
    ],
)
def test_names_in_german(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "promises"),
    [
        ("We give you a discount.", ["discount"]),
        ("Sie erhalten einen Preisnachlass und eine Garantie.", ["discount", "guarantee"]),
        ("Money-back if you sign the contract.", ["refund", "signature", "contract"]),
        ("Das ist kostenlos und rechtsverbindlich.", ["free", "legal"]),
        ("The price is a fee.", ["price", "price"]),
        ("I designed it. Das Signal kommt an.", []),
        ("Sie erhalten Mengenrabatt und einen Treuerabatt.", ["discount", "discount"]),
        ("Ein Sonderpreis, ein Festpreis, ein Aufpreis", ["price", "price", "price"]),
        ("Die Einrichtungsgebühr und die Monatsgebühr", ["price", "price"]),
        ("Die Versandkosten tragen wir.", ["price"]),
        ("Ein Kaufvertrag mit Zufriedenheitsgarantie", ["contract", "guarantee"]),
        ("Mit Preisgarantie und Rahmenvereinbarung", ["guarantee", "contract"]),
        # Not only a price: one of ours would make it ours.
        ("Die Kostenerstattung ist sicher.", ["refund"]),
        ("Versandkostenfrei, gebührenfrei, portofrei", ["free", "free", "free"]),
        ("Die Berichterstattung, gebührend, zur Terminvereinbarung, unverbindlich", []),
        ("Die Daten werden übertragen, der Vortrag ist verständlich.", []),
    ],
)
@pytest.mark.parametrize("written", [str, str.lower, str.upper])
def test_promises(text: str, promises: list[str], written: Callable[[str], str]) -> None:
    assert found(written(text), Kind.PROMISE) == promises


@pytest.mark.parametrize(
    "text",
    [
        "Delivery is free.",
        "The first month is free",
        "Shipping and setup are free!",
        "Your first year is free for up to ten people",
        "It's free.",
        "The upgrade will be free.",
        "It is free to use.",
        "You get free shipping.",
        "You get it at no cost.",
        "You get it at no extra cost.",
        "It comes without any additional charge.",
        "There is no setup cost.",
        "It costs nothing.",
        "It won't cost you anything.",
        "You pay nothing.",
        "Sie zahlen dafür nichts.",
        "Das Upgrade ist frei.",
        "Der Versand ist frei",
        "Der Versand ist für Sie frei.",
        "Ab dann ist das Upgrade frei.",
        "Das kostet Sie nichts.",
        "Sie bekommen es ohne Aufpreis.",
        "Es gibt keine weiteren Kosten.",
    ],
)
@pytest.mark.parametrize("written", [str, str.lower, str.upper])
def test_price_of_nothing_is_a_promise(text: str, written: Callable[[str], str]) -> None:
    assert "free" in found(written(text), Kind.PROMISE)


@pytest.mark.parametrize(
    "text",
    [
        "Feel free to call us.",
        "Are you free on Tuesday?",
        "You are free to call.",
        "He's free then, and so are we.",
        "When would your team be free?",
        "Which of the rooms is free?",
        "Tuesday is free, the calendar is free, and that slot is free.",
        "It is free of faults.",
        "I have no idea.",
        "Sind Sie am Dienstag frei?",
        "Wann ist das Team frei?",
        "Der Dienstag ist frei, der Termin ist noch frei.",
        "Wir sind frei erreichbar.",
    ],
)
@pytest.mark.parametrize("written", [str, str.lower, str.upper])
def test_who_has_time_or_may_do_something_promises_nothing(
    text: str, written: Callable[[str], str]
) -> None:
    assert found(written(text), Kind.PROMISE) == []


def test_what_is_one_claim_is_no_other() -> None:
    text = "Am 24.11.2026 um 15 Uhr: 1.250,00 € (+49 30 1234567, a1@example.com, https://example.com/5)"
    kinds = [each.kind for each in claims_of(text, WRITTEN)]
    assert kinds == [Kind.DATE, Kind.TIME, Kind.AMOUNT, Kind.PHONE, Kind.EMAIL, Kind.URL]
