"""How prompts are put together, and what is looked at first in every answer.

Fence and canary of a run are derived from its id under the installation's key: the same at each
try, and known to nobody who writes to us.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from pydantic import BaseModel

from channels.autopilot.actions import Prompt
from channels.autopilot.cleaning import as_data, is_leaking
from channels.autopilot.completions import Completion
from channels.autopilot.facts import Known
from channels.autopilot.models import Run
from channels.autopilot.outcomes import Ended, Outcome
from channels.autopilot.policies import off_with
from channels.autopilot.prompts import instructions

SHORTEST_QUOTE = 3


@dataclass(frozen=True)
class Quoted:
    """Words that a model gave as proof, and where they stand.

    Attributes:
        source: the label of the message, field or note.
    """

    words: str
    source: str


def prompt_of(
    run: Run, name: str, data: Mapping[str, Any], *, schema: type[BaseModel], max_tokens: int
) -> Prompt:
    """The instructions of that name, and the data behind the run's fence."""
    text = instructions(name)
    fence, canary = _secret(run, "fence"), _secret(run, "canary")
    return Prompt(
        name=name,
        version=text.version,
        messages=[
            {"role": "system", "content": text.filled(fence=fence, canary=canary)},
            {"role": "user", "content": as_data(data, fence)},
        ],
        schema=schema,
        max_tokens=max_tokens,
    )


def untold(run: Run) -> frozenset[UUID]:
    """The conversations of which a run tells its model nothing: those in which it is off, unless a
    person has asked.

    Raises:
        Ended: the run's own conversation is one of them.
    """
    if run.asked_by_id or run.lead_id is None:
        return frozenset()
    off = off_with(run.lead_id)
    if run.conversation_id in off:
        raise Ended(Outcome.OFF, _("The autopilot is off here."))
    return off


def data_of(run: Run) -> dict[str, Any]:
    """What the run's model was told, as it was told: numbers in its answer are of that."""
    _begin, data, _end = run.messages[1]["content"].split("\n")
    told: dict[str, Any] = json.loads(data)
    return told


def gives_itself_away(run: Run, completion: Completion) -> bool:
    """Whether an answer repeats the instructions, or the run's fence or canary: it was made to."""
    canary, fence = _secret(run, "canary"), _secret(run, "fence")
    told = instructions(run.action).filled(fence=fence, canary=canary)
    said = " ".join(_texts(completion.parsed.model_dump())) if completion.parsed else ""
    answer = f"{completion.text} {said}"
    return is_leaking(answer, told, canary) or fence in answer


def find_quote(words: str, known: Known) -> Quoted | None:
    """Where the words stand, blanks aside; None: nobody has said them."""
    wanted = " ".join(words.split())
    if sum(sign.isalnum() for sign in wanted) < SHORTEST_QUOTE:
        return None
    for label, text in known.sources:
        if wanted in " ".join(text.split()):
            return Quoted(wanted, label)
    return None


def first_line(text: str, longest: int) -> str:
    """A model's sentence as one line of plain text."""
    return " ".join(text.split())[:longest]


def told(quotes: Iterable[tuple[str, Quoted]]) -> list[dict[str, str]]:
    """Sentences with their proof, as runs and suggestions keep them."""
    return [{"text": text, "quote": found.words, "source": found.source} for text, found in quotes]


def _texts(value: Any) -> Iterator[str]:
    """The texts in an answer, as they read and not as JSON writes them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _secret(run: Run, purpose: str) -> str:
    return salted_hmac(f"channels.autopilot.{purpose}", str(run.pk)).hexdigest()[:16]
