"""Whether a text claims only what the facts say. Pure, and without any model.

It compares values, not meaning: that a known price is said of another product, or denied, a person
has to notice. What it does not recognise as a claim it lets pass.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any

from channels.autopilot.grounding import addresses, dates, names, numbers, occasions, promises
from channels.autopilot.grounding.claims import Claim, Kind, Rest, claim
from channels.autopilot.grounding.sentences import Sentence, sentences_of

# A letter of fewer sentences than these, after something was cut, says nothing any more.
LEAST_SENTENCES = 2
# Where money goes, or people are sent: only what we have written ourselves counts.
ONLY_OURS = frozenset({Kind.URL, Kind.EMAIL, Kind.PHONE, Kind.IBAN})
# Letters and digits in one: "SKU-123", "v2.0". "10k" is a number.
CODE = re.compile(
    r"(?<![\w.,/\x1f-])(?!\d+k\b)(?=[\w./-]{0,60}\d)(?=[\w./-]{0,60}[^\W\d_])"
    r"\w[\w./-]{0,60}\w(?![\w\x1f])"
)


class Trust(StrEnum):
    """Who says something."""

    OURS = "ours"
    THEIRS = "theirs"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Fact:
    """A text that is known.

    Attributes:
        label: what it is, for the report: "price list", "message of 12 May".
        is_ours: written by us, or entered by us. What the customer wrote is theirs, also where it
            was copied into a field.
        written: on which day; it gives "tomorrow" its meaning.
    """

    text: str
    label: str
    is_ours: bool
    written: date | None = None


@dataclass(frozen=True)
class Facts:
    """All that a text may say.

    Attributes:
        today: the day on which it is said.
        own_domains: of the tenant; the front page of each may be named.
    """

    facts: Sequence[Fact]
    today: date | None = None
    own_domains: frozenset[str] = frozenset()

    @cached_property
    def claims(self) -> list[tuple[Fact, Claim]]:
        """What the facts claim, ours first."""
        ordered = sorted(self.facts, key=lambda fact: not fact.is_ours)
        return [(fact, each) for fact in ordered for each in claims_of(fact.text, fact.written)]

    @cached_property
    def stems(self) -> list[tuple[Fact, frozenset[str]]]:
        """The words of each fact, ours first."""
        ordered = sorted(self.facts, key=lambda fact: not fact.is_ours)
        return [(fact, names.stems(fact.text)) for fact in ordered]

    @cached_property
    def small_words(self) -> frozenset[str]:
        """Words that occur with small letters, and so are no names."""
        return names.small_words(fact.text for fact in self.facts)


@dataclass(frozen=True)
class Checked:
    """A claim, and who says so.

    Attributes:
        source: the label of the fact; empty: there is none.
    """

    claim: Claim
    trust: Trust
    source: str = ""

    @property
    def may_stay(self) -> bool:
        """Whether a person may be shown a sentence with it as a draft."""
        if self.claim.kind is Kind.PROMISE or self.trust is Trust.OURS:
            return True
        return self.trust is Trust.THEIRS and self.claim.kind not in ONLY_OURS


@dataclass(frozen=True)
class Judged:
    """A sentence with its claims."""

    sentence: Sentence
    claims: Sequence[Checked]

    @property
    def is_kept(self) -> bool:
        """Whether it stays in the draft."""
        return all(each.may_stay for each in self.claims)


@dataclass(frozen=True)
class Report:
    """What is left of a text, and why."""

    judged: Sequence[Judged]
    _original: str = field(repr=False)

    @cached_property
    def text(self) -> str:
        """The text without what nobody says."""
        kept = ""
        for each in self.judged:
            part = self._original[each.sentence.start : each.sentence.end]
            if each.is_kept:
                kept += part
            elif not kept.endswith("\n"):
                # The end of a paragraph stays where its last sentence goes.
                gap = part[len(part.rstrip()) :]
                kept = kept.rstrip(" ") + gap if "\n" in gap else kept
        return re.sub(r"\n{3,}", "\n\n", kept).strip()

    @property
    def cut(self) -> list[Judged]:
        """The sentences that are gone."""
        return [each for each in self.judged if not each.is_kept]

    @property
    def is_usable(self) -> bool:
        """Whether what is left is still a letter."""
        kept = [each for each in self.judged if each.is_kept and not each.sentence.is_greeting]
        return len(kept) >= (LEAST_SENTENCES if self.cut else 1)

    @property
    def claims(self) -> list[Checked]:
        """All claims, those of the sentences that are gone too."""
        return [checked for each in self.judged for checked in each.claims]

    @property
    def is_clear(self) -> bool:
        """Whether all of it is said by us: only then it may go out without a person."""
        return not self.cut and all(each.trust is Trust.OURS for each in self.claims)

    @property
    def share(self) -> float:
        """How much of what is claimed we say ourselves, from 0 to 1; 1 where nothing is claimed."""
        ours = sum(each.trust is Trust.OURS for each in self.claims)
        return ours / len(self.claims) if self.claims else 1.0

    def as_json(self) -> dict[str, Any]:
        """For keeping with the run."""
        claims = [
            {
                "kind": each.claim.kind.value,
                "said": each.claim.said.strip(),
                "trust": each.trust.value,
                "source": each.source,
            }
            for each in self.claims
        ]
        return {"cut": [each.sentence.text for each in self.cut], "claims": claims}


def check(text: str, facts: Facts) -> Report:
    """Hold a text against the facts, sentence by sentence."""
    claims = [_checked(each, facts) for each in claims_of(text, facts.today, facts.small_words)]
    spans = [(each.claim.start, each.claim.end) for each in claims]
    judged = [
        Judged(sentence, [each for each in claims if _is_within(each.claim, sentence)])
        for sentence in sentences_of(text, spans)
    ]
    return Report(judged, text)


def claims_of(
    text: str, written: date | None, small_words: frozenset[str] = frozenset()
) -> list[Claim]:
    """All claims in a text, in its order. What is one kind of claim is no other."""
    rest = Rest(text)
    found = rest.take(addresses.whole_urls(rest.text))
    found += rest.take(addresses.emails(rest.text))
    found += rest.take(addresses.bare_urls(rest.text))
    found += rest.take(addresses.ibans(rest.text))
    found += rest.take(numbers.amounts(rest.text))
    found += rest.take(numbers.percents(rest.text))
    found += rest.take(dates.dates(rest.text, written))
    found += rest.take(occasions.occasions(rest.text, written))
    found += rest.take(addresses.phones(rest.text))
    found += rest.take(dates.times(rest.text))
    found += rest.take(addresses.streets(rest.text))
    found += rest.take(numbers.shares(rest.text))
    found += rest.take(numbers.durations(rest.text))
    found += rest.take(_codes(rest.text))
    found += rest.take(numbers.plain_numbers(rest.text))
    found += rest.take(numbers.vague_numbers(rest.text))
    found += rest.take(names.names(rest.text, small_words))
    found += promises.promises(text)
    return sorted(found, key=lambda each: each.start)


def is_quoted(value: str, quote: str, source: str) -> bool:
    """Whether a value stands in a quote, and the quote in a source, word for word.

    Blanks and line ends count as one blank; nothing else may differ. A quote without words proves
    nothing.
    """
    bare_value, bare_quote, bare_source = (
        " ".join(each.split()) for each in (value, quote, source)
    )
    if not re.search(r"\w", bare_value) or bare_quote not in bare_source:
        return False
    return bool(re.search(rf"(?<!\w){re.escape(bare_value)}(?!\w)", bare_quote))


def _is_within(said: Claim, sentence: Sentence) -> bool:
    return said.start < sentence.end and sentence.start < said.end


def _codes(text: str) -> Iterator[Claim]:
    for match in CODE.finditer(text):
        yield claim(Kind.CODE, match, match.group().casefold())


def _checked(said: Claim, facts: Facts) -> Checked:
    if said.kind is Kind.NAME:
        return _checked_name(said, facts)
    if said.kind is Kind.URL and _is_own(said, facts.own_domains):
        return Checked(said, Trust.OURS, "own domain")
    for fact, known in facts.claims:
        if said.follows_from(known) or _is_short_for(said, known):
            return Checked(said, Trust.OURS if fact.is_ours else Trust.THEIRS, fact.label)
    if said.kind is Kind.DATE:
        return _checked_day(said, facts)
    return Checked(said, Trust.NOBODY)


def _checked_name(said: Claim, facts: Facts) -> Checked:
    """A name is known if one fact has all of its words: two people's do not make a third."""
    (wanted,) = said.values
    assert isinstance(wanted, frozenset)
    for fact, words in facts.stems:
        if wanted <= words:
            return Checked(said, Trust.OURS if fact.is_ours else Trust.THEIRS, fact.label)
    return Checked(said, Trust.NOBODY)


def _checked_day(said: Claim, facts: Facts) -> Checked:
    """The day on which something was written is known, whoever wrote it."""
    for fact in facts.facts:
        if fact.written and said.values == {("day", fact.written)}:
            return Checked(said, Trust.OURS, fact.label)
    return Checked(said, Trust.NOBODY)


def _is_own(said: Claim, domains: frozenset[str]) -> bool:
    return len(said.values) == 1 and all(value in domains for value in said.values)


def _is_short_for(said: Claim, known: Claim) -> bool:
    """Whether a telephone number is a known one without its country."""
    if not said.kind == known.kind == Kind.PHONE:
        return False
    return all(
        addresses.is_short_for(str(one), str(other))
        for one in said.values
        for other in known.values
    )
