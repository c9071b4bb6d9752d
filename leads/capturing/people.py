"""Tells names of people from other words, and finds them where they are by rule."""

import re
from collections.abc import Iterator

from leads.capturing.pieces import Finding, Piece, find, lines_of
from leads.capturing.words import (
    CLOSING,
    DESKS,
    HONORIFIC,
    JOB,
    LEGAL_FORM,
    NO_NAME,
    PARTICLES,
)

# A dot ends an initial or an academic title, after other words it ends the sentence.
NAME_WORD = r"(?:(?:[^\W\d_a-zß]|Dr|Prof|Dipl|Ing|Mag|Jr|Sr|St)\.(?:-?Ing\.)?|[^\W\d_a-zß][\w'’-]*)"
NAME = re.compile(
    rf"{NAME_WORD}(?:[^\S\n](?:(?:{PARTICLES})[^\S\n]){{0,2}}{NAME_WORD}){{0,4}}", re.UNICODE
)
LAST_FIRST = re.compile(rf"(?P<last>{NAME_WORD}),[^\S\n](?P<first>{NAME_WORD})")
COMPANY = re.compile(rf"(?<![\w.]){LEGAL_FORM}(?!\w)")
# What may stand between name, job and company in one line.
BETWEEN = re.compile(r"\s{0,9}(?:[|·•/;,]|\s[–—-]\s|\t)\s*")
INTRODUCTION = re.compile(
    r"\b(?i:my name is|mein name ist|ich heiße|ich heisse|this is|hier ist|hier spricht)[^\S\n]+"
    rf"(?P<name>{NAME.pattern})"
)
DASHES = re.compile(r"(?:--|—|_{3,}|-{3,})")
DERIVED = re.compile(r"[^\W\d_]{2,}(?:[._-][^\W\d_]{2,}){1,2}")
LONGEST_SIGNATURE = 8


def is_name(words: str, *, least: int = 1) -> bool:
    """Whether `words` may be a person's name: words with capitals, none known to be another.

    Args:
        least: how many words it must have.
    """
    parts = [part.strip(".,").lower() for part in words.split()]
    return (
        least <= len(parts)
        and len(words) <= 80
        and bool(NAME.fullmatch(words))
        and not words[0].islower()
        and not NO_NAME.intersection(parts)
        and not COMPANY.search(words)
        and not JOB.search(words)
    )


def find_name(piece: Piece, rule: str, *, least: int = 1) -> Finding | None:
    """The name that a piece is, without "Mr", turned around if it is "Lovelace, Ada"."""
    piece = piece.strip("\"'*_<>|:,")
    if honorific := HONORIFIC.match(piece.text):
        piece = piece.part(honorific.end())
    if turned := LAST_FIRST.fullmatch(piece.text):
        value = f"{turned['first']} {turned['last']}"
        return find("name", piece, rule, value) if is_name(value) else None
    return find("name", piece, rule) if is_name(piece.text, least=least) else None


def introduced(text: str) -> Iterator[Finding]:
    """Names after "my name is"; after "this is" only those of two words and more."""
    for match in INTRODUCTION.finditer(text):
        name = Piece(match["name"], match.start("name")).strip(".")
        found = find_name(name, "introduction", least=1 if "name" in match.group().lower() else 2)
        if found:
            yield found


def signatures(text: str, contacts: list[Finding]) -> Iterator[tuple[list[Piece], bool]]:
    """The lines of every signature, and whether a closing or "--" stands above it.

    The lines above and around an address or number count as one without such words.
    """
    lines = lines_of(text)
    for number, line in enumerate(lines):
        closing = CLOSING.match(line.text)
        if DASHES.fullmatch(line.text):
            yield _block(lines[number + 1 :]), True
        elif closing and len(line.text) <= 60 and _ends(line.text[closing.end() :]):
            same_line = line.part(closing.end()).strip(",.!- ")
            yield _block([*([same_line] if same_line.text else []), *lines[number + 1 :]]), True
    for contact in contacts:
        yield _around(lines, contact), False


def _ends(rest: str) -> bool:
    """Whether a line with a closing has nothing after it but a name."""
    name = rest.strip(" ,.!-–")
    return not name or (rest[:1] in " ,!." and is_name(name))


def _block(lines: list[Piece]) -> list[Piece]:
    """The lines up to the second gap."""
    block: list[Piece] = []
    gaps = 0
    for line in lines:
        gaps += bool(block) and not line.text
        if gaps > 1 or len(block) == LONGEST_SIGNATURE:
            break
        if line.text and not DASHES.fullmatch(line.text):
            block.append(line)
    return block


def _around(lines: list[Piece], contact: Finding) -> list[Piece]:
    """The lines without a gap in which a contact point stands, four at most above it."""
    at = next(n for n, line in enumerate(lines) if line.start <= contact.start < line.end)
    first = at
    while first > max(0, at - 4) and lines[first - 1].text:
        first -= 1
    end = at + 1
    while end < min(len(lines), at + 3) and lines[end].text:
        end += 1
    return lines[first:end]


def read_signature(lines: list[Piece], *, is_sure: bool) -> Iterator[Finding]:
    """The name and the job title of a signature.

    Args:
        is_sure: a closing stands above: then one word is enough for a name, in the first line.
    """
    named = titled = False
    for number, line in enumerate(lines):
        whole = find_name(line, "signature", least=2)
        for piece in [line] if whole else line.split(BETWEEN):
            least = 1 if is_sure and number == 0 else 2
            found = None if named else find_name(piece, "signature", least=least)
            if found:
                named = True
                yield found
            elif not titled and (is_sure or named) and _is_title(piece.text):
                titled = True
                yield find("title", piece, "signature")


def _is_title(words: str) -> bool:
    return (
        len(words) <= 60
        and bool(JOB.search(words))
        and len(words.split()) <= 7
        and not re.search(r"[@\d:?!]|www\.", words)
        and not COMPANY.search(words)
        and not words.endswith(".")
        and words[:1].isupper()
    )


def name_of_address(email: Finding) -> Finding | None:
    """The name in an address such as ada.lovelace@example.com, if it has one."""
    local = email.value.partition("@")[0].partition("+")[0].rstrip("0123456789")
    parts = re.split(r"[._-]", local)
    if not DERIVED.fullmatch(local) or DESKS.intersection(parts):
        return None
    value = " ".join(part.capitalize() for part in parts)
    return Finding("name", value, "local_part", email.start, email.start + len(local))
