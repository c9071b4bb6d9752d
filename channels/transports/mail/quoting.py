"""Parting what somebody writes from what they answer.

Line by line, each line looked at a bounded number of times: a mail made to keep a parser busy does
not. Nothing is thrown away: what is folded stands in `Message.quoted`.
"""

import re

# "On Mon, 12 May 2025 at 10:00, Ann <ann@example.com> wrote:", in the languages of our users and
# of those who write to them. A line like that, or two or three together, stand before a quote.
ATTRIBUTION = re.compile(
    r"^(?:>\s?)*\s*(?:"
    r"on\b.{4,300}\bwrote|"
    r"am\b.{4,300}\bschrieb(?:\b.{0,200})?|.{0,200}\bschrieb am\b.{4,200}|"
    r"le\b.{4,300}\ba écrit|"
    r"el\b.{4,300}\bescribió|"
    r"il\b.{4,300}\bha scritto|"
    r"em\b.{4,300}\bescreveu|"
    r"op\b.{4,300}\bschreef(?:\b.{0,200})?|"
    r"(?:w dniu|dnia)\b.{4,300}\b(?:napisała?|pisze)|"
    r"den\b.{4,300}\bskrev(?:\b.{0,200})?"
    r")\s*:\s*$",
    re.IGNORECASE,
)
OPENING = re.compile(
    r"^(?:>\s?)*\s*(?:on|am|le|el|il|em|op|w dniu|dnia|den)\b.{0,250}$|.{0,200}\bschrieb am\b",
    re.IGNORECASE,
)
DIVIDER = re.compile(
    r"^\s*(?:-{2,}|_{2,})\s*(?:original message|ursprüngliche nachricht|originalnachricht|"
    r"message d'origine|message original|mensaje original|messaggio originale|mensagem original|"
    r"oorspronkelijk bericht|forwarded message|weitergeleitete nachricht|reply message)"
    r"\s*(?:-{2,}|_{2,})?\s*$",
    re.IGNORECASE,
)
# The head of a mail as Outlook sets it before the text that is answered.
LABEL = re.compile(
    r"^[\s*>]*(?P<label>from|von|de|da|van|od|"
    r"sent|date|gesendet|datum|envoyé|enviado(?: el)?|fecha|inviato|verzonden|data|"
    r"to|an|à|para|a|aan|do|cc|kopie|"
    r"subject|betreff|objet|asunto|oggetto|onderwerp|assunto|temat)[\s*]*:[\s*]*\S",
    re.IGNORECASE,
)
FIRST_LABEL = re.compile(r"^[\s*>]*(?:from|von|de|da|van|od)[\s*]*:[\s*]*\S", re.IGNORECASE)
# So many labels within so many lines are the head of a mail.
ENOUGH_LABELS, LABEL_LINES = 3, 6
# What mail programs and scanners for viruses put below everything.
FOOTER = re.compile(
    r"^\s*(?:[-_=*~]{2,}\s*$|sent from my |von meinem .{1,40}gesendet|gesendet mit |"
    r"envoyé (?:de|depuis) |enviado desde |virus-free|virenfrei|get outlook for |"
    r"this (?:e-?mail|message) (?:has been|was)|diese (?:e-?mail|nachricht) wurde )",
    re.IGNORECASE,
)
ATTRIBUTION_LINES = 3
LONGEST_LINE = 1000
MOST_LINES = 20_000


def part_quote(text: str) -> tuple[str, str]:
    """What was written, and what it answers; both together are the text.

    A text that is nothing but a quote stays whole.
    """
    lines = text.split("\n")
    cut = _cut(lines[:MOST_LINES])
    written = "\n".join(lines[:cut]).strip()
    if not written:
        return text.strip(), ""
    return written, "\n".join(lines[cut:]).strip("\n")


def _cut(lines: list[str]) -> int:
    """The number of the first line that is quoted."""
    for number, line in enumerate(lines):
        if len(line) > LONGEST_LINE or not line.strip():
            continue
        if DIVIDER.match(line):
            return number
        if FIRST_LABEL.match(line) and _labels(lines, number) >= ENOUGH_LABELS:
            return number
        if OPENING.match(line) and (length := _attribution(lines, number)):
            return len(lines) if _answers_between(lines[number + length :]) else number
    return _trailing_quote(lines)


def _attribution(lines: list[str], number: int) -> int:
    """How many lines a sentence such as "On … wrote:" takes that begins there; 0: none does."""
    for length in range(1, ATTRIBUTION_LINES + 1):
        together = " ".join(each.strip() for each in lines[number : number + length])
        if len(together) <= LONGEST_LINE and ATTRIBUTION.match(together):
            return length
    return 0


def _answers_between(lines: list[str]) -> bool:
    """Whether something was written below quoted lines: then all of it belongs together."""
    seen_quote = False
    for line in lines:
        if line.lstrip().startswith(">"):
            seen_quote = True
        elif FOOTER.match(line):
            return False
        elif seen_quote and line.strip():
            return True
    return False


def _labels(lines: list[str], number: int) -> int:
    found = (LABEL.match(line[:200]) for line in lines[number : number + LABEL_LINES])
    return len({match["label"].lower() for match in found if match})


def _trailing_quote(lines: list[str]) -> int:
    """Where the ">" lines begin that end the text; the number of lines where none do."""
    cut, end = len(lines), len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(">")):
        end -= 1
        if lines[end].lstrip().startswith(">"):
            cut = end
    return cut
