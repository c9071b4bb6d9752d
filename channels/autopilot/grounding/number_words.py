"""Numbers below a million, and days of a month, written as words: in English and German."""

import re
from decimal import Decimal
from itertools import count


def _list(words: str) -> list[str]:
    return words.split()


TEENS_EN = _list(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
)
TENS_EN = _list("twenty thirty forty fifty sixty seventy eighty ninety")
TEENS_DE = _list(
    "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn"
    " siebzehn achtzehn neunzehn"
)
TENS_DE = _list("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
ONES = _list("one a an ein eine einen einem einer eines eins")
# What multiplies the number before it, and after which the next one is added.
SIZES = {
    "hundred": 100,
    "hundert": 100,
    "thousand": 1000,
    "tausend": 1000,
    "dozen": 12,
    "dutzend": 12,
}


def _valued() -> dict[str, int]:
    known = dict.fromkeys(ONES, 1)
    for teens, tens in ((TEENS_EN, TENS_EN), (TEENS_DE, TENS_DE)):
        known |= dict(zip(teens, count(2), strict=False))
        known |= dict(zip(tens, count(20, 10), strict=False))
    return {word.casefold(): number for word, number in known.items()}


VALUES = _valued()
HALF = Decimal("0.5")
HALVES = {
    **dict.fromkeys(("half a", "half an", "eine halbe", "einer halben", "einen halben"), HALF),
    **dict.fromkeys(("anderthalb", "eineinhalb", "one and a half"), 1 + HALF),
    **{f"{word}einhalb": number + HALF for number, word in enumerate(TEENS_DE[:8], 2)},
    **{f"{word} and a half": number + HALF for number, word in enumerate(TEENS_EN[:8], 2)},
}
ZEROS = ["zero", "null"]


def _any(words: list[str]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return "|".join(longest_first).replace("ß", "(?:ß|ss)")


def _english() -> str:
    below_100 = rf"(?:(?:{_any(TENS_EN)})(?:[- ](?:one|{_any(TEENS_EN[:8])}))?|{_any(TEENS_EN)})"
    rest = rf"(?:[- ](?:and[- ])?{below_100}|[- ]and[- ]one)"
    hundreds = rf"(?:(?:{below_100}|one|an?)[- ])?hundred{rest}?"
    below_1000 = rf"(?:{hundreds}|{below_100})"
    more = rf"(?:[- ](?:and[- ])?{below_1000}|[- ]and[- ]one)"
    thousands = rf"(?:(?:{below_1000}|one|an?)[- ])?thousand{more}?"
    return rf"{thousands}|{hundreds}|(?:(?:an?|{below_100})[- ])?dozen|{below_100}"


def _german() -> str:
    below_100 = rf"(?:(?:(?:ein|{_any(TEENS_DE[:8])})und)?(?:{_any(TENS_DE)})|{_any(TEENS_DE)})"
    hundreds = rf"(?:{_any(TEENS_DE)}|ein)?hundert(?:(?:und)?(?:{below_100}|eins?))?"
    below_1000 = rf"(?:{hundreds}|{below_100})"
    thousands = rf"(?:{below_1000}|ein)?tausend(?: ?(?:und)?(?:{below_1000}|eins?))?"
    return rf"{thousands}|{hundreds}|(?:ein )?dutzend|{below_100}"


# A single one counts before a million: "one question" is no number, "one million" is.
MANY = r"(?:one|an?|eine?)(?=\s(?:million|billion|milliarde))"
# Three letters tell of most words that they are none, before all of the above is tried.
BEGINS = "|".join(sorted({word[:3] for word in [*VALUES, *SIZES] if len(word) > 2}))
WORD = rf"(?<!\w)(?={BEGINS}|an?\s)(?:{_english()}|{_german()}|{MANY})"
TOKEN = re.compile(rf"{_any([*SIZES, *VALUES, 'and', 'und'])}|[- ]", re.IGNORECASE)


def number_in_words(said: str) -> int | None:
    """The number that a match of `WORD`, or a single one, says; None: it says none."""
    bare = said.strip().casefold()
    tokens = TOKEN.findall(bare)
    if not bare or "".join(tokens) != bare:
        return None
    whole = part = 0
    for token in tokens:
        size = SIZES.get(token)
        part = part + VALUES.get(token, 0) if size is None else max(1, part) * size
        if size == SIZES["thousand"]:
            whole, part = whole + part, 0
    return whole + part or None


# --- Days of a month ----------------------------------------------------------------------------

NTH_EN = _list(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth"
    " fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
NTH_DE = [*_list("erst zweit dritt viert fünft sechst siebt acht neunt zehnt elft zwölft"),
          *(f"{word}t" for word in TEENS_DE[11:]), "zwanzigst"]  # fmt: skip
ENGLISH_NTHS = {
    **{word: number for number, word in enumerate(NTH_EN, 1)},
    **{f"twenty-{word}": number for number, word in enumerate(NTH_EN[:9], 21)},
    "thirtieth": 30,
    "thirty-first": 31,
}
GERMAN_NTHS = {
    **{word: number for number, word in enumerate(NTH_DE, 1)},
    **{f"{word}undzwanzigst": n for n, word in enumerate(["ein", *TEENS_DE[:8]], 21)},
    "dreissigst": 30,
    "einunddreissigst": 31,
}
ENGLISH_NTH = rf"(?:{_any([*ENGLISH_NTHS]).replace('-', '[- ]')})(?![\w-])"
GERMAN_NTH = rf"(?:{_any([*GERMAN_NTHS]).replace('ss', '(?:ss|ß)')})e[nmrs]?(?!\w)"


def nth_in_words(said: str) -> int:
    """The number that a match of `ENGLISH_NTH` or `GERMAN_NTH` says."""
    bare = said.casefold().replace(" ", "-")
    return ENGLISH_NTHS.get(bare) or GERMAN_NTHS[re.sub(r"e[nmrs]?$", "", bare)]
