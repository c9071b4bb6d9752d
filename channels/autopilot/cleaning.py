"""Cleaning of what goes into a prompt, and of what comes out of a model. Pure.

What somebody writes to us may be meant for the model: signs that nobody sees, the marks by which a
server tells roles apart, comments in HTML. What a model writes may be meant for a browser: pictures
that fetch an address, links that show another. Neither gets through.

Taking signs out can put others together: what is taken out is either invisible, and goes first, or
is broken up by a blank, which joins nothing.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from channels.autopilot.completions import storable

# Characters of a message that a model reads, of which the newest ones count most.
LONGEST_MESSAGE = 4_000
LONGEST_DRAFT = 10_000
SHORTENED = "\n[…]"
# What is taken out of markup may leave markup.
MOST_ROUNDS = 5


class Mark(StrEnum):
    """What is odd about a text. None of them keeps a person from reading or answering it."""

    INVISIBLE = "invisible"
    ROLE = "role"
    COMMENT = "comment"
    INSTRUCTION = "instruction"
    ENCODED = "encoded"
    MIXED_SCRIPT = "mixed_script"
    SHORTENED = "shortened"
    IMAGE = "image"
    LINK = "link"
    MARKUP = "markup"


# With any of them nothing goes out without a person.
SUSPICIOUS = frozenset(
    {Mark.INVISIBLE, Mark.ROLE, Mark.COMMENT, Mark.INSTRUCTION, Mark.ENCODED, Mark.MIXED_SCRIPT}
)


@dataclass(frozen=True)
class Cleaned:
    """A text, and what was odd about it."""

    text: str
    marks: frozenset[Mark] = frozenset()

    @property
    def is_suspicious(self) -> bool:
        """Whether it tries to instruct the assistant, or to hide something from people."""
        return bool(self.marks & SUSPICIOUS)


def clean_inbound(text: str, longest: int = LONGEST_MESSAGE) -> Cleaned:
    """What a person wrote, as it may stand in a prompt.

    Args:
        longest: characters that are kept, from the beginning.
    """
    # Nobody reads on for ever, and the searches below take their time.
    visible = _visible(text[: 4 * longest])
    shown, marks = visible.text, set(visible.marks)
    marks |= {Mark.COMMENT} if "<!--" in shown else set()
    bare = _without_comments(shown)
    neutral = _without_roles(bare)
    marks |= {Mark.ROLE} if neutral != bare or ROLE_LINE.search(neutral) else set()
    marks |= _suspicions(neutral)
    kept = GAPS.sub("\n\n", BLANKS.sub("    ", neutral)).strip()
    return _shortened(kept, longest, marks, is_more=len(text) > 4 * longest)


def clean_draft(text: str, longest: int = LONGEST_DRAFT) -> Cleaned:
    """What a model wrote, as plain text that a person may send.

    Pictures go whole, links become their words and their address: whether the address may stay is
    a matter of grounding.
    """
    visible = _visible(text[: 4 * longest])
    bare, marks = _without_comments(visible.text), set(visible.marks)
    for _round in range(MOST_ROUNDS):
        before = bare
        for pattern, mark, by in MARKUP:
            bare, times = pattern.subn(by, bare)
            marks |= {mark} if times else set()
        if bare == before:
            break
    bare = _without_roles(bare)
    marks |= {Mark.MIXED_SCRIPT} if mixed_words(bare) else set()
    kept = GAPS.sub("\n\n", "\n".join(line.rstrip() for line in bare.split("\n"))).strip()
    return _shortened(kept, longest, marks, is_more=len(text) > 4 * longest)


def as_data(value: Any, fence: str) -> str:
    """What others wrote, as JSON between two lines that they cannot know.

    Args:
        fence: drawn anew for every prompt, such as `secrets.token_hex(8)`.

    Raises:
        ValueError: the fence stands within.
    """
    # No text can look like the end of a tag, whatever the server makes of tags.
    inside = json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
    if not fence or fence in inside:
        raise ValueError("the fence is no secret")
    return f"BEGIN {fence}\n{inside}\nEND {fence}"


def is_leaking(output: str, instructions: str, canary: str, words: int = 8) -> bool:
    """Whether an answer holds the canary of its prompt, or so many words in a row of it.

    Args:
        instructions: the part of the prompt that nobody shall see.
    """
    if canary and canary.casefold() in output.casefold():
        return True
    said, secret = _words(output), _words(instructions)
    runs = {tuple(secret[at : at + words]) for at in range(len(secret) - words + 1)}
    return any(tuple(said[at : at + words]) in runs for at in range(len(said) - words + 1))


def mixed_words(text: str) -> Sequence[str]:
    """Words with letters of several alphabets that look alike, as “раypal” has."""
    return [word for word in WORD.findall(text) if _is_mixed(word)]


def _shortened(text: str, longest: int, marks: set[Mark], *, is_more: bool) -> Cleaned:
    if len(text) <= longest and not is_more:
        return Cleaned(text, frozenset(marks))
    kept = text[: longest - len(SHORTENED)].rstrip() + SHORTENED
    return Cleaned(kept, frozenset(marks | {Mark.SHORTENED}))


# --- Signs that nobody sees ---------------------------------------------------------------------

ZERO_WIDTH = "\u200b\u200c\u200d\ufeff"
# Fillers, blanks of no width, and selectors of a glyph's form, in which whole texts can be hidden.
UNSEEN = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ue000-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
# They stand in honest texts: in words that may be parted, at the ends of lines, beside emoji,
# around numbers out of address books, for pictures and for the bullets of word processors.
HARMLESS = re.compile(
    "[\u00ad\u200e\u200f\u2028-\u202c\u2066-\u2069\ufe0e\ufe0f\uf000-\uf8ff\ufffc]"
)
CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# Web pages leave some blanks of no width between words.
MOST_BETWEEN_WORDS = 20


def _visible(text: str) -> Cleaned:
    """The text without what nobody sees."""
    whole = LINE_ENDS.sub("\n", storable(text))
    kept, odd, between = [], False, 0
    for at, sign in enumerate(whole):
        is_seen = not UNSEEN.match(sign) and not CONTROL.match(sign)
        if is_seen or (sign in "\u200c\u200d" and _joins_letters(whole, at)):
            kept.append(sign)
        elif sign in ZERO_WIDTH:
            between += 1
            odd |= _is_within_word(whole, at)
        else:
            odd |= not HARMLESS.match(sign) and not CONTROL.match(sign)
    odd |= between > MOST_BETWEEN_WORDS
    return Cleaned("".join(kept), frozenset({Mark.INVISIBLE} if odd else set()))


def _is_within_word(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return all(sign and (sign.isalnum() or "!" <= sign <= "~" or sign in ZERO_WIDTH)
               for sign in (before, after))  # fmt: skip


def _joins_letters(text: str, at: int) -> bool:
    """Whether a joiner stands where Persian and the scripts of India need it."""
    around = (text[at - 1 : at], text[at + 1 : at + 2])
    return all(sign and unicodedata.category(sign) in ("Lo", "Mn", "Mc") for sign in around)


LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\u2028\u2029]")


# --- Roles, comments, instructions --------------------------------------------------------------

# The marks between roles, of ChatML, Llama, Mistral, Gemma, DeepSeek and Phi, and their look-alikes
# of full width. The first blank of the text within is enough: no server knows them then.
PIPE_OPENS = re.compile(r"(?P<left>[<＜﹤])(?P<right>[|｜│∣])")
PIPE_CLOSES = re.compile(r"(?P<left>[|｜│∣])(?P<right>[>＞﹥])")
TAG = re.compile(
    r"(?P<left>[<＜﹤]{1,2})(?P<right>/?(?:s|sys|bos|eos|pad|unk|im_start|im_end|start_of_turn"
    r"|end_of_turn|start_header_id|end_header_id|eot_id|begin_of_text|endoftext|think|system"
    r"|assistant|user|human|tool_call|tool_response|function_calls|invoke)"
    r"(?=\s{0,3}/?[>＞﹥]|\s{1,3}\w{1,20}\s?=))",
    re.IGNORECASE,
)
BRACKET = re.compile(
    r"(?P<left>[\[［])(?P<right>/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)"
    r"[\]］])",
    re.IGNORECASE,
)
ROLE_LINE = re.compile(
    r"^[ \t>*]{0,8}(?:assistant|(?:system|developer|ai|ki)[ -]?(?:prompt|message|note|override"
    r"|nachricht|hinweis)|\#{2,6} ?(?:system|instructions?|user|response))[*]{0,2}[ \t]{0,3}:",
    re.IGNORECASE | re.MULTILINE,
)
OBJECTS = (
    r"(?:instructions?|rules?|prompts?|guidelines?|directives?|training|constraints?|anweisungen?"
    r"|regeln?|vorgaben?|vorschriften|instruktionen|richtlinien)"
)
INSTRUCTIONS = re.compile(
    r"\b(?:ignor\w*|disregard\w*|forget\w*|override\w*|bypass\w*|vergiss|vergessen|missachte\w*"
    rf"|überschreib\w*|umgeh\w*)\b[^.!?]{{0,60}}\b{OBJECTS}\b"
    r"|\b(?:you are now|from now on,? you|pretend (?:to be|you)|act as (?:an? )?(?:ai|assistant|dan"
    r"|system|developer)|du bist (?:jetzt|nun|ab jetzt)|ab (?:jetzt|sofort) bist du"
    r"|verhalte dich (?:als|wie)|tu so, als)\b"
    r"|\b(?:reveal|print|repeat|show|output|verrate|zeige?|wiederhole|gib)\b[^.!?]{0,40}"
    r"\b(?:system[ -]?prompt|system message|your (?:instructions|prompt|rules)"
    r"|deine (?:anweisungen|regeln|instruktionen)|deinen prompt)\b"
    r"|\b(?:as an ai|jailbreak|developer mode|dan mode|entwicklermodus)\b"
    r"|\b(?:note|hint|message|instructions?|hinweis|anweisung\w*|nachricht) (?:to|for|an|für)"
    r" (?:the |den |die |das )?(?:ai|assistant|model|bot|llm|ki|assistent\w*|modell)\b",
    re.IGNORECASE,
)
# 200 signs and more without a blank that are no address and no word.
ENCODED = re.compile(
    r"(?<![\w/:.=&?%-])(?:[A-Za-z0-9+/]{200,}|(?:[A-Za-z0-9+/]{60,}\n){3,})={0,2}(?![\w/])"
)
LONG_HEX = re.compile(r"(?:\\x[0-9a-f]{2}|%[0-9a-f]{2}|&#x?[0-9a-f]{2,6};){20,}", re.IGNORECASE)


def _without_comments(text: str) -> str:
    """Without comments of HTML; one that does not end is broken up."""
    kept, rest = [], text
    while "<!--" in rest:
        before, _begins, inside = rest.partition("<!--")
        _hidden, ends, behind = inside.partition("-->")
        if not ends:
            break
        kept.append(before)
        rest = behind
    # Two halves of a comment may meet where one was.
    return " ".join([*kept, rest]).replace("<!--", "< !--")


def _without_roles(text: str) -> str:
    for pattern in (PIPE_OPENS, PIPE_CLOSES, TAG, BRACKET):
        text = pattern.sub(r"\g<left> \g<right>", text)
    return text


def _suspicions(text: str) -> set[Mark]:
    found = set()
    if INSTRUCTIONS.search(" ".join(unicodedata.normalize("NFKC", text).split())):
        found.add(Mark.INSTRUCTION)
    if ENCODED.search(text) or LONG_HEX.search(text):
        found.add(Mark.ENCODED)
    if mixed_words(text):
        found.add(Mark.MIXED_SCRIPT)
    return found


# --- Letters that look like others --------------------------------------------------------------

WORD = re.compile(r"[^\W\d_]{2,}")
LOOK_ALIKE = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")


def _is_mixed(word: str) -> bool:
    if word.isascii():
        return False
    names = (unicodedata.name(letter, "") for letter in word)
    scripts = {name.partition(" ")[0] for name in names} & set(LOOK_ALIKE)
    # One Greek letter in a word is science: µm, Ω, λ.
    return len(scripts) > 1 and not (scripts == {"LATIN", "GREEK"} and len(word) <= 3)


# --- Markup -------------------------------------------------------------------------------------

INSIDE = r"[^\[\]\n]{0,300}"
ADDRESS = r"<?(?P<url>[^\s()<>]{1,2000}(?:\([^\s()<>]{0,200}\)[^\s()<>]{0,500})?)>?"
TITLE = r"(?:\s{1,5}[\"'(][^\n]{0,300}?[\"')])?"


def _as_text(match: re.Match[str]) -> str:
    words, url = match["words"].strip(), match["url"].removeprefix("mailto:")
    return url if words in ("", url) else f"{words} ({url})"


MARKUP: list[tuple[re.Pattern[str], Mark, str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"<[|｜][^|｜<>\n]{1,40}[|｜]>"), Mark.MARKUP, ""),
    (re.compile(r"\A\s*<think>.*?</think>", re.DOTALL), Mark.MARKUP, ""),
    (re.compile(r"<(?:script|style|svg|iframe)\b.{0,20000}?</(?:script|style|svg|iframe)\s*>",
                re.DOTALL | re.IGNORECASE), Mark.MARKUP, ""),
    (re.compile(r"<img\b[^>]{0,3000}>", re.IGNORECASE), Mark.IMAGE, ""),
    (re.compile(rf"!\[{INSIDE}\]\(\s*{ADDRESS}{TITLE}\s*\)"), Mark.IMAGE, ""),
    (re.compile(rf"!\[{INSIDE}\](?:\[{INSIDE}\])?"), Mark.IMAGE, ""),
    (re.compile(rf"\[(?P<words>{INSIDE})\]\(\s*{ADDRESS}{TITLE}\s*\)"), Mark.LINK, _as_text),
    (re.compile(rf"^[ ]{{0,3}}\[{INSIDE}\]:[ \t]*\S{{1,2000}}.*$", re.MULTILINE), Mark.LINK, ""),
    (re.compile(r"<a\b[^>]{0,2000}?href\s*=\s*[\"']?(?P<url>[^\s\"'>]{1,2000})[^>]{0,2000}>"
                r"(?P<words>[^<>]{0,300})</a\s*>", re.IGNORECASE), Mark.LINK, _as_text),
    (re.compile(r"<(?P<url>https?://[^\s<>]{1,2000})>"), Mark.LINK, r"\g<url>"),
    (re.compile(r"<br\s*/?>", re.IGNORECASE), Mark.MARKUP, "\n"),
    (re.compile(r"</?[a-zA-Z][a-zA-Z0-9-]{0,20}(?:\s[^<>]{0,2000})?/?>"), Mark.MARKUP, ""),
    (re.compile(r"^```[\w-]{0,20}[ \t]*$\n?", re.MULTILINE), Mark.MARKUP, ""),
    (re.compile(r"^#{1,6}[ \t]+", re.MULTILINE), Mark.MARKUP, ""),
    (re.compile(r"(?<!\w)(?P<mark>\*\*|__)(?P<inside>\S(?:[^*_\n]{0,500}\S)?)(?P=mark)(?!\w)"),
     Mark.MARKUP, r"\g<inside>"),
    (re.compile(r"(?<![\w*])\*(?P<inside>[^\s*](?:[^*\n]{0,500}[^\s*])?)\*(?![\w*])"),
     Mark.MARKUP, r"\g<inside>"),
    (re.compile(r"`(?P<inside>[^`\n]{1,500})`"), Mark.MARKUP, r"\g<inside>"),
]  # fmt: skip
GAPS = re.compile(r"\n{3,}")
BLANKS = re.compile(r"[ \t\u00a0\u2000-\u200a\u3000]{5,}")


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
