"""Where somebody is reached or paid: web and mail addresses, telephones, accounts, streets."""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from channels.autopilot.grounding.claims import Claim, Kind, claim

LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
HOST = rf"(?:{LABEL}\.){{1,8}}(?:[^\W\d_]{{2,24}}|xn--[a-z0-9-]{{1,59}})"
LOCAL = r"\w.!#$%&'*+/=?^`{|}~-"
# Each begins where a word begins, and takes what it has taken: no text is read again and again.
EMAIL = re.compile(
    rf"(?<![{LOCAL}])(?:mailto:)?(?P<email>[{LOCAL}]{{1,64}}+@{HOST})", re.IGNORECASE
)
# Some write "hxxps", "example[.]com" or "example (dot) com" so that no filter sees an address.
DOT = (
    # The full stops of Chinese and Japanese are as good to a browser.
    r"(?:[.。．｡]|\[\.\]|\(\.\)|\s?[\[(]\s?(?:dot|punkt)\s?[\])]\s?"
    r"|\s(?:dot|punkt)\s(?=(?:com|net|org|info|eu|de|at|ch|io)\b))"
)
WHOLE_URL = re.compile(
    r"(?P<url>(?:h[tx]{2}ps?|ftp|javascript|data|file|tel|sms|whatsapp|tg):(?://)?"
    r"[^\s<>\"'\x1f“”„«»]+)",
    re.IGNORECASE,
)
BARE_URL = re.compile(
    rf"(?P<url>(?<![\w@.-])(?:{LABEL}{DOT}){{1,8}}(?:[^\W\d_]{{2,24}}|xn--[a-z0-9-]{{1,59}})(?![\w-])"
    r"(?::\d{1,5})?(?:[/?#][^\s<>\"'\x1f“”„«»]*)?"
    r"|(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?(?:/[^\s<>\"'\x1f]*)?(?![\w.]))",
    re.IGNORECASE,
)
# What ends a sentence, not an address.
BEHIND_URL = ".,;:!?)]}*_'’"
IBAN = re.compile(r"\b(?P<iban>[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?)\b",
                  re.IGNORECASE)  # fmt: skip
LEAST_IBAN, MOST_IBAN = 15, 34
PHONE = re.compile(
    r"(?<![\w.,/])(?P<phone>(?:\+|00)\s?[1-9](?:[ \u00a0()/.–-]{0,3}\d){6,14}"
    r"|\(?0[1-9](?:[ \u00a0()/–-]{0,3}\d){5,13})(?![\w])"
)
ENDING = r"stra(?:ß|ss)e|str\.|gasse|allee|weg|platz|ufer|damm|ring"
ALONE = r"Stra(?:ß|ss)e|Str\.|Gasse|Allee|Weg|Platz|Ufer|Damm|Ring"
STREET = re.compile(
    r"(?<![\w-])(?P<name>(?:[A-ZÄÖÜ][\w'’-]{1,40}[ -]){0,3}"
    rf"(?:[A-ZÄÖÜ][\w-]{{0,40}}?(?:{ENDING})|{ALONE}))\s?(?P<number>\d{{1,4}}(?:\s?[a-z])?)\b"
    r"|(?<![\w-])(?P<english>\d{1,5}[a-z]?\s(?:[A-Z][\w'’.-]{0,40}\s){1,3}"
    r"(?:Street|St\.?|Road|Rd\.?|Avenue|Ave\.?|Lane|Drive|Square|Boulevard|Way))(?!\w)"
)
LEAST_SHARED = 7
# With its plus; Source: ITU-T E.164.
LONGEST_COUNTRY = 4


def emails(text: str) -> Iterator[Claim]:
    """Mail addresses."""
    for match in EMAIL.finditer(text):
        yield claim(Kind.EMAIL, match, match["email"].casefold())


def whole_urls(text: str) -> Iterator[Claim]:
    """Web addresses with what they begin with."""
    return _urls(WHOLE_URL, text)


def bare_urls(text: str) -> Iterator[Claim]:
    """Web addresses that begin with their host, also those that were made hard to find."""
    return _urls(BARE_URL, text)


def _urls(pattern: re.Pattern[str], text: str) -> Iterator[Claim]:
    for match in pattern.finditer(text):
        said = match["url"].rstrip(BEHIND_URL)
        normal = normal_url(said)
        values = frozenset() if normal is None else frozenset({normal})
        yield Claim(Kind.URL, said, match.start(), match.start() + len(said), values)


def ibans(text: str) -> Iterator[Claim]:
    """Numbers of bank accounts."""
    for match in IBAN.finditer(text):
        bare = re.sub(r"[ -]", "", match["iban"]).upper()
        if LEAST_IBAN <= len(bare) <= MOST_IBAN and sum(map(str.isdigit, bare)) > len(bare) // 2:
            yield claim(Kind.IBAN, match, bare)


def phones(text: str) -> Iterator[Claim]:
    """Telephone numbers."""
    for match in PHONE.finditer(text):
        yield claim(Kind.PHONE, match, normal_phone(match["phone"]))


def streets(text: str) -> Iterator[Claim]:
    """Streets with the number of a house."""
    for match in STREET.finditer(text):
        yield claim(Kind.STREET, match, _normal_street(match))


def normal_url(said: str) -> str | None:
    """Host, path and query of an address, written in one way; None: it hides where it leads.

    The host is compared sign by sign, so one in letters that look alike is another.
    """
    plain = re.sub(r"^h[tx]{2}p", "http", re.sub(DOT, ".", said), flags=re.IGNORECASE)
    whole = plain if re.match(r"[a-z]{2,10}:", plain, re.IGNORECASE) else f"https://{plain}"
    try:
        parts = urlsplit(whole)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or "\\" in said:
        return None
    host = unicodedata.normalize("NFKC", host).casefold().removeprefix("www.")
    rest = unquote(parts.path).rstrip("/") + (f"?{parts.query}" if parts.query else "")
    standard = 443 if parts.scheme == "https" else 80
    return f"{host}{f':{port}' if port not in (None, standard) else ''}{rest}"


def host_of(normal: str) -> str:
    """The host of an address in normal form."""
    return re.split(r"[/?:]", normal, maxsplit=1)[0]


def normal_phone(said: str) -> str:
    """The digits of a number, with "+" where it begins with a country's code."""
    bare = said.replace("(0)", "")
    digits = re.sub(r"\D", "", bare)
    if bare.lstrip().startswith("+"):
        return f"+{digits}"
    return f"+{digits.removeprefix('00')}" if digits.startswith("00") else digits


def is_short_for(local: str, whole: str) -> bool:
    """Whether a number without its country's code is that of one with it, both in normal form.

    Not the other way round: a country that nobody has named would be invented.
    """
    if local.startswith("+") or not whole.startswith("+"):
        return False
    bare = local.removeprefix("0")
    return (
        len(bare) >= LEAST_SHARED
        and whole.endswith(bare)
        and len(whole) - len(bare) <= LONGEST_COUNTRY
    )


def _normal_street(match: re.Match[str]) -> str:
    said = (match["english"] or f"{match['name']} {match['number']}").casefold()
    said = re.sub(r"stra(?:ß|ss)e\b|str\.", "str", said)
    said = re.sub(r"\b(street|road|avenue)\b", lambda found: found[1][:2], said)
    said = re.sub(r"\b(st|rd|ave)\b\.?", lambda found: found[1][:2], said)
    return re.sub(r"[\s.-]+", "", said)
