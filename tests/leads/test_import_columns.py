"""Dates and amounts whose notation only the whole column tells."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from leads.importing.amounts import AmountColumn
from leads.importing.dates import DateColumn
from leads.importing.report import ImportRefused

BERLIN = ZoneInfo("Europe/Berlin")
DATES = st.dates(date(1970, 1, 1), date(2067, 12, 31))


def dates(*values: str, day_first: bool = False, layout: str = "") -> DateColumn:
    column = DateColumn("When", zone=BERLIN, day_first=day_first, layout=layout)
    for value in values:
        column.observe(value)
    return column


def amounts(*values: str, decimal_comma: bool = False, mark: str = "") -> AmountColumn:
    column = AmountColumn("Value", decimal_comma=decimal_comma, mark=mark)
    for value in values:
        column.observe(value)
    return column


@given(
    days=st.lists(DATES, min_size=1),
    layout=st.sampled_from(["%d-%m-%y", "%m/%d/%Y", "%d.%m.%Y", "%Y-%m-%d", "%m-%d-%y"]),
)
def test_a_column_with_one_telling_value_is_read_as_it_was_written(
    days: list[date], layout: str
) -> None:
    written = [day.strftime(layout) for day in [*days, date(2020, 3, 31)]]
    # A file whose two-digit years look like days may have them first just as well.
    assume(layout[1] != "y")
    column = dates(*written)

    assert [column.read(text).date() for text in written[:-1]] == days
    assert not column.is_ambiguous


def test_midnight_is_the_tenants() -> None:
    assert dates().read("2024-07-01") == datetime(2024, 7, 1, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("day_first", "month"),
    [(True, 4), (False, 3)],
)
def test_what_no_value_tells_is_said_and_follows_the_tenant(day_first: bool, month: int) -> None:
    column = dates("03-04-17", "05-06-17", day_first=day_first)

    assert column.is_ambiguous
    assert "--date-format" in column.ambiguity
    assert column.read("03-04-17").month == month


def test_a_format_settles_it() -> None:
    column = dates("03-04-17", layout="DD-MM-YY")

    assert not column.is_ambiguous
    assert column.read("03-04-17").month == 4
    with pytest.raises(ValueError, match="no date"):
        column.read("2017-04-03")


def test_dots_are_german() -> None:
    column = dates("03.04.2017")

    assert not column.is_ambiguous
    assert column.read("03.04.2017").month == 4


def test_a_broken_date_does_not_outvote_the_others() -> None:
    column = dates("12-25-17", "11-30-17", "99-99-99", "31-02-17", "01-02-17")

    assert column.read("12-25-17") == datetime(2017, 12, 25, tzinfo=BERLIN)
    with pytest.raises(ValueError, match="MM-DD-YY"):
        column.read("31-02-17")


def test_years_may_come_first() -> None:
    column = dates("99-10-31", "98-02-28")

    assert column.read("99-10-31").date() == date(1999, 10, 31)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-02-29T13:45:10", datetime(2024, 2, 29, 13, 45, 10, tzinfo=BERLIN)),
        ("2024-02-29 13:45:10+00:00", datetime(2024, 2, 29, 14, 45, 10, tzinfo=BERLIN)),
        ("2024-02-29T13:45:10.123Z", datetime(2024, 2, 29, 14, 45, 10, 123000, tzinfo=BERLIN)),
        ("2024/02/29", datetime(2024, 2, 29, tzinfo=BERLIN)),
        ("20240229", datetime(2024, 2, 29, tzinfo=BERLIN)),
        ("29.02.2024 08:05", datetime(2024, 2, 29, 8, 5, tzinfo=BERLIN)),
        ("12/31/2024 11:30 PM", datetime(2024, 12, 31, 23, 30, tzinfo=BERLIN)),
        ("29 February 2024", datetime(2024, 2, 29, tzinfo=BERLIN)),
        ("Feb 29, 2024", datetime(2024, 2, 29, tzinfo=BERLIN)),
        ("3. März 2024", datetime(2024, 3, 3, tzinfo=BERLIN)),
        ("15. Dez. 2023", datetime(2023, 12, 15, tzinfo=BERLIN)),
    ],
)
def test_many_notations_are_understood(text: str, moment: datetime) -> None:
    assert dates(text).read(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("soon", "May", "May 2024", "2024", "12", "30.02.2024", "1.2.3", "2024-13-01", "--"),
        *("0/0/0", "12:30", "5 o'clock", "9999999999999", "12/31/2024 25:00", "1/1/024"),
    ],
)
def test_half_dates_and_non_dates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="This is no date"):
        dates(text).read(text)


@pytest.mark.parametrize("layout", ["%Q", "MM-DD", "%d", "tomorrow", "%Y-%m"])
def test_a_format_that_names_no_day_is_refused(layout: str) -> None:
    with pytest.raises(ImportRefused, match="date format"):
        dates(layout=layout)


@given(
    values=st.lists(
        st.decimals(0, Decimal("999999999999.99"), places=2, allow_nan=False), min_size=1
    ),
    german=st.booleans(),
    grouped=st.booleans(),
)
def test_amounts_are_read_as_they_were_written(
    values: list[Decimal], german: bool, grouped: bool
) -> None:
    written = [f"{value:,.2f}" if grouped else f"{value:.2f}" for value in values]
    if german:
        written = [text.translate(str.maketrans(",.", ".,")) for text in written]
    column = amounts(*written)

    assert [column.read(text)[0] for text in written] == values
    assert not column.is_ambiguous


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("€ 1.234,50", "1234.50", "EUR"),
        ("1.234,50 €", "1234.50", "EUR"),
        ("$1,234.50", "1234.50", "USD"),
        ("US$ 5", "5", "USD"),
        ("CHF 1'234.50", "1234.50", "CHF"),
        ("1 234,50 PLN", "1234.50", "PLN"),
        ("£.50", "0.50", "GBP"),
        ("1.500.000", "1500000", ""),
        ("200,-", "200", ""),
        ("200,-- €", "200", "EUR"),
        ("0", "0", ""),
        ("007", "7", ""),
    ],
)
def test_amounts_come_with_and_without_currency(text: str, amount: str, currency: str) -> None:
    assert amounts(text).read(text) == (Decimal(amount), currency)


@pytest.mark.parametrize(("comma", "amount"), [(True, "1234"), (False, "1.23")])
def test_a_lone_mark_before_three_digits_is_said_and_follows_the_tenant(
    comma: bool, amount: str
) -> None:
    column = amounts("1.234", "5", decimal_comma=comma)

    assert column.is_ambiguous
    assert "--decimal-mark" in column.ambiguity
    assert column.read("1.234")[0] == Decimal(amount)


def test_one_telling_amount_settles_the_column() -> None:
    column = amounts("1.234", "99,95")

    assert not column.is_ambiguous
    assert column.read("1.234")[0] == Decimal(1234)


def test_a_mark_given_settles_the_column() -> None:
    column = amounts("1.234", mark=",")

    assert not column.is_ambiguous
    assert column.read("1.234")[0] == Decimal(1234)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a lot", "no amount"),
        ("-5", "negative"),
        ("− 5,00", "negative"),
        ("1,23,4", "no amount"),
        ("1.2.3", "no amount"),
        ("12 apples", "no amount"),
        ("1E+06", "no amount"),
        ("NaN", "no amount"),
        ("Infinity", "no amount"),
        ("٣", "no amount"),
        ("5 €/$", "no amount"),
        ("9" * 13, "too large"),
        ("9" * 5000, "too large"),
    ],
)
def test_non_amounts_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        amounts(text).read(text)
