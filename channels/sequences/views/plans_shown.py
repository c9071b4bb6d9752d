"""What was done for somebody and what is to come, as pages show it."""

from collections.abc import Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.models import Channel
from channels.sequences.deciding import PlannedStep
from channels.sequences.decisions import Send
from channels.sequences.documents import Document, walk
from channels.sequences.models import Execution
from channels.sequences.queries import stages_asked
from channels.sequences.views.steps_shown import Summary, summary_of
from channels.sequences.words import decision_in_words
from channels.templating import Filled, Origin, Piece

Pieces = tuple[Piece, ...]
# What stands before the subject of an answer, and how much of a text stands for a subject.
RE, LONGEST = "Re: ", 60
# What may have become of a step, in the order in which it happens.
MOMENTS: tuple[tuple[str, str | Promise], ...] = (
    ("sent_at", _("sent")),
    ("delivered_at", _("delivered")),
    ("opened_at", _("opened")),
    ("clicked_at", _("clicked")),
    ("replied_at", _("replied")),
    ("bounced_at", _("bounced")),
    ("unsubscribed_at", _("opted out")),
    ("failed_at", _("failed")),
    ("won_at", _("won")),
)


def shown_plan(planned: Sequence[PlannedStep], document: Document) -> list[dict[str, Any]]:
    """What will happen, as sequences/_plan.html names it."""
    steps = {step.key: step for step in walk(document.steps)}
    stages, shown = stages_asked(document), []
    thread: Pieces = ()
    for each in planned:
        row = _shown(each, summary_of(steps[each.step.key], stages), thread)
        thread = row["title"] if row["is_mail"] else thread
        shown.append(row)
    return shown


def shown_done(rows: Sequence[Execution], document: Document) -> list[dict[str, Any]]:
    """What was done, as sequences/enrolment.html names it."""
    steps, stages = {step.key: step for step in walk(document.steps)}, stages_asked(document)
    return [
        {
            "execution": row,
            "summary": summary_of(steps[row.step], stages),
            "moments": [(words, at) for name, words in MOMENTS if (at := getattr(row, name))],
        }
        for row in rows
        if row.step in steps
    ]


def _shown(planned: PlannedStep, summary: Summary, thread: Pieces) -> dict[str, Any]:
    action = planned.action
    subject, body = (getattr(action, name, None) for name in ("subject", "body"))
    title = getattr(action, "title", None)
    is_mail = isinstance(action, Send) and action.step.channel == Channel.EMAIL
    return {
        "planned": planned,
        "at": planned.at,
        "zone": planned.zone.key,
        "summary": summary,
        "number": planned.step.number,
        "key": planned.step.key,
        "title": _pieces(subject or title)
        or (_answer_to(thread) if is_mail else ())
        or _beginning(_pieces(body)),
        "body": _pieces(body),
        "problems": [text for each in planned.problems if (text := decision_in_words(each))],
        "closed": [(day, name) for day, name in planned.closed.items() if name],
        "holds": getattr(action, "holds", None),
        "is_mail": is_mail,
    }


def _pieces(text: Filled | None) -> Pieces:
    return tuple(piece for piece in text.pieces if piece.text) if text else ()


def _answer_to(thread: Pieces) -> Pieces:
    """The subject of a mail that goes on in a thread."""
    if not thread or thread[0].text.startswith(RE):
        return thread
    return (Piece(RE, Origin.TEXT), *thread)


def _beginning(text: Pieces) -> Pieces:
    """What has no subject is called by its first words."""
    found: list[Piece] = []
    left = LONGEST
    for piece in text:
        words = piece.text if len(piece.text) <= left else f"{piece.text[:left]}…"
        found.append(Piece(words, piece.origin))
        left -= len(piece.text)
        if left <= 0:
            break
    return tuple(found)
