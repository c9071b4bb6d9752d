"""Promises: words that bind us, whatever value stands beside them. English and German."""

import re
from collections.abc import Iterator
from itertools import chain

from channels.autopilot.grounding.claims import Claim, Kind, claim
from channels.autopilot.grounding.dates import LONG_WEEKDAY

# German writes what a word is of in front of it: "Mengenrabatt", "Einrichtungsgebühr".
OF = r"\w{0,40}?"
# Of several that a compound is made of, the first here counts: "Preisgarantie" is a guarantee.
PROMISES = {
    "discount": rf"discount\w*|rebate\w*|{OF}(?:rabatt|nachlass|nachlässe)\w*|{OF}skonto",
    "guarantee": rf"guarante\w*|warrant\w*|{OF}garanti\w*|gewährleist\w*|zusicher\w*|zugesichert",
    "refund": r"refund\w*|money[- ]back|reimburs\w*|geld[- ]zurück\w*|(?:zu)?rückzahl\w*"
    rf"|zurückgezahlt|{OF}(?<!bericht)(?:erstattung|erstatte)\w*",
    "contract": rf"contract\w*|agreement\w*|{OF}(?:vertrag|verträge)\w*"
    rf"|{OF}(?<!termin)vereinbarung\w*",
    "signature": r"\bsign(?:ed|ing|ature)?\b|unterschr\w*|unterzeichn\w*",
    "free": r"free of (?:charge|cost)|for free|no charge|complimentary|gratis|umsonst|frei haus"
    rf"|{OF}(?:kostenlos|(?:kosten|gebühren|porto)frei|unentgeltlich)\w*",
    "price": r"price\w*|pricing|fee|fees|surcharges?"
    rf"|{OF}(?:preis|tarif)\w*|{OF}kosten(?!los|frei)\w*|{OF}gebühr(?!end|lich|t)\w*|{OF}entgelt(?!lich)\w*",
    "legal": r"legal\w*|liab\w*|lawsuit|complian\w*|gdpr|recht(?:lich|sverbindlich)\w*"
    r"|haft(?:et|ung|en)\w*|dsgvo|verbindlich\w*|binding",
}  # fmt: skip
PROMISE = re.compile(
    "|".join(rf"(?P<{name}>(?<!\w)(?:{words})(?!\w))" for name, words in PROMISES.items()),
    re.IGNORECASE,
)
# Nothing to pay, in more words than one. A price that they deny is a promise of its own beside it.
MORE = r"(?:(?:extra|additional|further|added|hidden|other)\s)?"
NOTHING = re.compile(
    rf"\b(?:(?:no|zero|without(?:\sany)?)\s(?!idea|longer|one\b){MORE}(?:[\w-]{{1,20}}\s)?"
    r"(?:costs?|charges?|fees?)"
    r"|costs?\s(?:you\s|us\s)?nothing|cost\s(?:you\s)?(?:anything|a\s(?:thing|cent|penny))"
    r"|pay\snothing|(?:zahlen|zahlst|zahlt)\s(?:sie\s)?(?:dafür\s)?nichts"
    r"|(?:kostet|kosten)\s(?:(?:sie|euch|dich|ihnen)\s)?(?:nichts|keinen\s(?:cent|euro|aufpreis))"
    r"|(?:ohne|keine|keinerlei)\s(?:(?:jede|weitere|zusätzliche|versteckte|laufende)n?\s)?"
    r"(?:\w{0,40}?kosten|\w{0,40}?gebühr(?:en)?|aufpreis|mehrpreis|zuzahlung))\b",
    re.IGNORECASE,
)
# Who and what is free has time, and costs nothing all the same.
WITH_TIME = (
    rf"(?:i|you|we|they|he|she|who|everybody|everyone|anyone|somebody|someone|{LONG_WEEKDAY}"
    r"|days?|mornings?|afternoons?|evenings?|slots?|time|times|calendar|diary|schedule|date|dates"
    r"|room|line|phone|team|all|both|today|tomorrow|sie|wir|ihr|er|wer|jemand|niemand|heute|morgen|dann|noch"
    r"|tage?|vormittage?|nachmittage?|abende?|termine?|zeit|uhrzeit|zeitfenster|kalender|platz"
    r"|plätze|raum|leitung|alle|beide)"
)
SUBJECT = rf"(?<![\w'’])(?!{WITH_TIME}[\s'’])[^\W\d_][\w-]{{0,40}}"
# Free to call, of faults or on Tuesday is something else, and who asks promises nothing.
BEHIND_FREE = (
    r"(?!\w|-|\s?\?|\s(?:to\s(?!use|try|download|start|join|test)|of|from|at\s(?:\d|noon)|tomorrow|today"
    rf"|tonight|this|next|between|(?:on|until|after|before)\s(?:the\s|{LONG_WEEKDAY}|\d)))"
)
GRATIS = re.compile(
    rf"{SUBJECT}(?:\s(?:is|are|was|were|(?:will|would)\sbe|comes?|stays?|remains?)|['’]s)"
    rf"\s(?:(?:completely|absolutely|totally|entirely|also|always|even|still|then)\s)?free{BEHIND_FREE}"
    r"|(?<!\w)free\s(?:[\w-]{1,20}\s)?(?:delivery|shipping|returns?|set-?up|upgrades?|updates?"
    r"|months?|years?|trials?|onboarding|training|support|licen[cs]es?|installation|migration"
    r"|accounts?|versions?|plans?|samples?|consultation|workshops?|access)(?!\w)",
    re.IGNORECASE,
)
FREI = re.compile(
    rf"(?:{SUBJECT}\s(?:ist|sind|bleib(?:t|en)|wird|werden)"
    rf"|(?<!\w)(?:ist|sind|bleibt|wird)\s(?:der|die|das|unsere?)\s{SUBJECT})"
    r"(?:\s(?:für\s(?:sie|euch|dich)|auch|immer|ganz|komplett|völlig|dabei|ebenfalls|weiterhin"
    r"|ab\ssofort))?\sfrei(?=\s*(?:[.,;:!)]|$)|\s(?:und|oder|für\s(?:sie|euch|dich|alle)|bei)\b)",
    re.IGNORECASE,
)


def promises(text: str) -> Iterator[Claim]:
    """What we would be held to: discounts, guarantees, refunds, contracts, prices, law."""
    for match in PROMISE.finditer(text):
        yield claim(Kind.PROMISE, match, match.lastgroup)
    for match in chain.from_iterable(each.finditer(text) for each in (NOTHING, GRATIS, FREI)):
        yield claim(Kind.PROMISE, match, "free")
