"""Reads the amounts of one column, whose decimal mark the whole column decides."""

import re
from collections import Counter
from decimal import Decimal

from django.utils.translation import gettext as _

SYMBOLS = {"€": "EUR", "US$": "USD", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR"}
CODE = r"(?:[A-Z]{3}|US\$|[€$£¥₹])"
MONEY = re.compile(rf"(?P<before>{CODE})?(?P<number>[^A-Z€$£¥₹]+)(?P<after>{CODE})?")
# Spaces of all widths, and the Swiss apostrophe.
GROUPING = re.compile(r"(?<=\d)['’\s](?=\d{3})|\s")
ROUND_MARK = re.compile(r",-{1,2}$")
LARGEST = Decimal("999999999999.99")


class AmountColumn:
    """The amounts of a column.

    First show it every value with `observe`, then `read` them: "1.234" alone could be a thousand
    or a little more than one, but "1.234,50" further down tells.

    Args:
        decimal_comma: what to assume when no value tells.
        mark: "," or "." decides instead of the values.
    """

    def __init__(self, name: str, *, decimal_comma: bool, mark: str = "") -> None:
        self.name = name
        self._mark = mark
        self._decimal_comma = decimal_comma
        self._votes: Counter[str] = Counter()

    def observe(self, value: str) -> None:
        """Take note of which decimal mark a value shows."""
        number, _currency = _split(value)
        marks = re.findall(r"[.,]", number)
        if not marks:
            return
        other = "." if marks[-1] == "," else ","
        if len(set(marks)) == 2:
            self._votes[marks[-1]] += 1
        elif len(marks) > 1:
            self._votes[other] += 1
        elif len(number) - number.index(marks[0]) != 4:
            self._votes[marks[0]] += 1
        else:
            self._votes["unclear"] += 1

    @property
    def mark(self) -> str:
        """The decimal mark."""
        if self._mark:
            return self._mark
        if self._votes[","] == self._votes["."]:
            return "," if self._decimal_comma else "."
        return "," if self._votes[","] > self._votes["."] else "."

    @property
    def is_ambiguous(self) -> bool:
        """Whether no value tells the decimal mark, though some have one or a grouping."""
        told = self._mark or self._votes[","] or self._votes["."]
        return bool(self._votes["unclear"]) and not told

    @property
    def ambiguity(self) -> str:
        """A sentence that says what was assumed, and what settles it."""
        return _(
            "The amounts in “%(column)s” were read with “%(mark)s” as their decimal mark, "
            "though no value tells. --decimal-mark settles it."
        ) % {"column": self.name, "mark": self.mark}

    def read(self, value: str) -> tuple[Decimal, str]:
        """The amount in hundredths at most, and its currency's code if it names one.

        Raises:
            ValueError: it is no amount; the message is a sentence.
        """
        number, currency = _split(value)
        mark, grouping = (",", r"\.") if self.mark == "," else (r"\.", ",")
        shape = rf"\+?(?:\d{{1,3}}(?:{grouping}\d{{3}})+|\d+)(?:{mark}\d+)?|{mark}\d+"
        if number.startswith(("-", "−")):
            raise ValueError(_("An amount cannot be negative."))
        if not re.fullmatch(shape, number, re.ASCII):
            raise ValueError(_("This is no amount."))
        plain = number.replace("." if self.mark == "," else ",", "").replace(",", ".")
        amount = Decimal(plain)
        if amount > LARGEST:
            raise ValueError(_("This amount is too large."))
        return amount.quantize(Decimal("0.01")), currency


def _split(value: str) -> tuple[str, str]:
    """The number without blanks, and the currency's code if there is one."""
    compact = GROUPING.sub("", value)
    match = MONEY.fullmatch(compact)
    if not match:
        return compact, ""
    symbol = match["before"] or match["after"] or ""
    return ROUND_MARK.sub("", match["number"]), SYMBOLS.get(symbol, symbol)
