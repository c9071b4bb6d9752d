"""Names of people, companies and products, as far as spelling gives them away.

In English a capital within a sentence is enough. German writes all nouns with one: there a name is
what follows a title or a greeting, stands beside another word with a capital, is a first name, or
is spelt as no noun is. A single unknown surname or company within a German sentence is not noticed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from channels.autopilot.grounding.claims import Claim, Kind
from channels.autopilot.grounding.words import (
    ACRONYMS,
    ACTING,
    ENGLISH,
    FIRST_NAMES,
    GERMAN,
    LEGAL_FORMS,
    NOUNS,
    PARTICLES,
    POLITE,
    STARTERS,
    THINGS,
    TITLES,
)

WORD = re.compile(r"[^\W\d_]+(?:['’&.-][^\W\d_]+)*|&|\d+")
SPELT = re.compile(r"[^\W\d_]+")
GREETS = {"hi", "hello", "hey", "dear", "hallo", "liebe", "lieber", "moin", "servus", "geehrte",
          "geehrter", "grüezi", "tag", "morgen", "abend", "morning", "afternoon"}  # fmt: skip
# A few letters between two words with capitals that are one name.
GAP = re.compile(r"[ \u00a0]{1,2}")
OPENS = re.compile(r"(?:^|[.!?:…\n\x1f][\"'„“”«»)\]]*\s*|^[\s>*•–-]*|\n[\s>*•–-]*|[„“\"(]\s?)$")

LOOKING_BACK = 12


@dataclass(frozen=True)
class Word:
    """A word as it stands in a text."""

    text: str
    start: int
    end: int
    is_first: bool

    @property
    def bare(self) -> str:
        """In small letters, without a genitive's apostrophe."""
        return re.sub(r"['’]s?$", "", self.text.casefold())

    @property
    def is_capital(self) -> bool:
        """Whether it begins with a capital."""
        return self.text[:1].isupper()


def is_german(text: str) -> bool:
    """Whether a text is rather German than English, by its small words."""
    words = [word.casefold() for word in SPELT.findall(text)]
    return sum(word in GERMAN for word in words) > sum(word in ENGLISH for word in words)


def names(text: str, known: frozenset[str] = frozenset()) -> Iterator[Claim]:
    """Names in a text; their value is the set of their words.

    Args:
        known: words in small letters that occur in the facts as such, and so are no names.
    """
    german = is_german(text)
    small = known | {word.text for word in _words(text) if not word.is_capital}
    for run in _runs(text):
        found = _name_in(run, small, german=german)
        if found:
            start, end = found[0].start, found[-1].end
            values = frozenset({frozenset(stem(word.text) for word in found)})
            yield Claim(Kind.NAME, text[start:end], start, end, values)


def stems(text: str) -> frozenset[str]:
    """All words of a fact, in the form in which names are compared."""
    words = {stem(word) for word in SPELT.findall(text)}
    return frozenset(words | {stem(word.text) for word in _words(text)})


def small_words(texts: Iterable[str]) -> frozenset[str]:
    """The words of texts that are written with small letters."""
    return frozenset(word for text in texts for word in SPELT.findall(text) if word.islower())


def stem(word: str) -> str:
    """A word without its case and its genitive; accents and umlauts stay."""
    bare = re.sub(r"['’](?:s)?$", "", word.casefold())
    return bare[:-1] if len(bare) > 3 and bare.endswith("s") and not bare.endswith("ss") else bare


def _words(text: str) -> list[Word]:
    return [
        Word(
            match.group(),
            match.start(),
            match.end(),
            bool(OPENS.search(text[max(0, match.start() - LOOKING_BACK) : match.start()])),
        )
        for match in WORD.finditer(text)
    ]


def _runs(text: str) -> Iterator[list[Word]]:
    """Words with capitals that stand together, with what comes right before and after them."""
    words = _words(text)
    run: list[Word] = []
    for before, word in pairwise([Word("", 0, 0, is_first=True), *words]):
        joined = bool(run) and _is_joined(text, before, word)
        if not joined and run:
            yield from _whole(run, None)
            run = []
        if word.is_capital or (run and word.text in PARTICLES):
            run.append(word)
        elif run:
            yield from _whole(run, word)
            run = []
        elif word.bare in GREETS | TITLES:
            run = [word]
    if run:
        yield from _whole(run, None)


def _is_joined(text: str, before: Word, word: Word) -> bool:
    """Whether two words stand beside each other; after "Dr" and an initial comes a full stop."""
    between = text[before.end : word.start]
    if before.bare in TITLES or len(before.text) == 1:
        between = between.removeprefix(".")
    return bool(GAP.fullmatch(between))


def _whole(run: list[Word], behind: Word | None) -> Iterator[list[Word]]:
    """The run without particles at its end; the word behind a single one tells what it is."""
    while run and run[-1].text in PARTICLES:
        behind = run.pop()
    if run:
        yield [*run, behind] if behind and behind.bare in ACTING else run


def _name_in(run: list[Word], small: frozenset[str], *, german: bool) -> list[Word]:
    """The part of a run that is a name; empty: none is."""
    acts = not run[-1].is_capital and run[-1].bare in ACTING
    words = run[:-1] if acts else run
    is_led = any(word.bare in TITLES | GREETS for word in words[:-1])
    is_company = any(word.bare in LEGAL_FORMS for word in words[1:])
    while words and _is_common(words[0], small, is_led=is_led):
        words = words[1:]
    while words and _is_common(words[-1], small, is_led=is_led):
        words = words[:-1]
    if not words:
        return []
    if len([word for word in words if word.text not in PARTICLES]) > 1 or is_led or is_company:
        return words
    return words if _is_name(words[0], small, german=german, acts=acts) else []


def _is_common(word: Word, small: frozenset[str], *, is_led: bool) -> bool:
    bare = word.bare
    if bare in POLITE | TITLES | GREETS | PARTICLES or bare in ACRONYMS or not word.is_capital:
        return True
    if bare in NOUNS or word.text.isdecimal():
        return True
    return (word.is_first or is_led) and bare in STARTERS | small and bare not in FIRST_NAMES


def _is_name(word: Word, small: frozenset[str], *, german: bool, acts: bool) -> bool:
    """Whether one word with a capital is a name."""
    bare = word.bare
    if bare in FIRST_NAMES or bare in LEGAL_FORMS or _is_odd(word.text):
        return True
    is_thing = bare in small or bare.endswith(THINGS)
    if word.is_first:
        return acts and not is_thing and bare not in STARTERS
    return not german and bare not in STARTERS


def _is_odd(text: str) -> bool:
    """Whether capitals stand where a word of the language has none: "SalesFlow", "ACME"."""
    letters = SPELT.findall(text)
    return any(
        any(sign.isupper() for sign in part[1:])
        for part in letters
        if part.casefold() not in ACRONYMS
    )
