"""Phone numbers as WhatsApp writes them: without a plus, and in some countries with other digits.

WhatsApp knows people by the number under which they registered, which may be older than the rules
of their country: Brazil put a 9 before mobile numbers, Mexico dropped a 1, and Argentina dials a 9
from abroad alone. Only what is compared is varied; what is dialled stays as it was given.
"""

import re

# Country, then what a number looks like in its two forms, and how one is made from the other.
# Brazil: +55, two digits of the area, then 9 and eight digits, or eight digits that begin with 6–9;
# fixed lines begin with 2–5. Source: Anatel, Resolution 553/2010.
BRAZIL_LONG = re.compile(r"55(\d{2})9([6-9]\d{7})")
BRAZIL_SHORT = re.compile(r"55(\d{2})([6-9]\d{7})")
# Mexico: +52 and ten digits, until 2019 with a 1 between. Source: IFT, numbering plan of 2019.
MEXICO_LONG = re.compile(r"521(\d{10})")
MEXICO_SHORT = re.compile(r"52(\d{10})")
# Argentina: +54 and ten digits, mobile numbers from abroad with a 9 between.
ARGENTINA_LONG = re.compile(r"549(\d{10})")
ARGENTINA_SHORT = re.compile(r"54(\d{10})")
OTHER_FORM = [
    (BRAZIL_LONG, r"55\1\2"),
    (BRAZIL_SHORT, r"55\g<1>9\2"),
    (MEXICO_LONG, r"52\1"),
    (MEXICO_SHORT, r"521\1"),
    (ARGENTINA_LONG, r"54\1"),
    (ARGENTINA_SHORT, r"549\1"),
]
NUMBER = re.compile(r"[1-9]\d{5,14}")


def is_number(wa_id: str) -> bool:
    """Whether WhatsApp's id of somebody is their phone number."""
    return NUMBER.fullmatch(wa_id) is not None


def address_of(wa_id: str) -> str:
    """The number in E.164; empty where the id is none."""
    if not is_number(wa_id):
        return ""
    mexican = MEXICO_LONG.fullmatch(wa_id)
    return f"+52{mexican[1]}" if mexican else f"+{wa_id}"


def alternatives_of(wa_id: str) -> tuple[str, ...]:
    """Other ways to write the number, in E.164."""
    ways = [f"+{wa_id}"] if is_number(wa_id) else []
    for form, other in OTHER_FORM:
        if match := form.fullmatch(wa_id):
            ways.append(f"+{match.expand(other)}")
    return tuple(way for way in ways if way != address_of(wa_id))
