"""What a model can be asked to do.

An action builds a prompt for a run, and makes something of the answer. Everything between the two,
the call, its cost, its tries and its faults, is `channels.autopilot.performing`'s. Actions are
registered when the app is ready.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel

from channels.autopilot.client import Message
from channels.autopilot.completions import Completion
from channels.autopilot.models import ActionType, Run
from channels.autopilot.outcomes import Outcome

__all__ = ["ACTIONS", "Action", "Prompt", "register_action"]


@dataclass(frozen=True)
class Prompt:
    """What a model is asked.

    Attributes:
        name: which prompt that is, such as "draft".
        version: its number and digest: the same version is the same text.
        messages: the whole of it, to be kept with the run.
        schema: what the answer has to be; None: any text.
        max_tokens: how long the answer may be.
    """

    name: str
    version: str
    messages: Sequence[Message]
    schema: type[BaseModel] | None
    max_tokens: int


class Action(Protocol):
    """Something that a model can be asked to do."""

    def build(self, run: Run) -> Prompt:
        """The prompt, from what is known now. It only reads, and is called again for each try.

        Raises:
            Ended: there is nothing to ask for any more; it says in what the run ends.
        """
        ...

    def apply(self, run: Run, completion: Completion) -> Outcome:
        """Make something of the answer, in the transaction that ends the run, its lead locked.

        It may set `result`, `report` and `error` of the run, which is saved afterwards. What it
        raises undoes all that it wrote; the answer is paid for all the same.

        Raises:
            Ended: the answer is of no use any more.
        """
        ...


_actions: dict[ActionType, Action] = {}
ACTIONS: Mapping[ActionType, Action] = MappingProxyType(_actions)
"""Every action, by what runs call it."""


def register_action(kind: ActionType, action: Action) -> None:
    """Let runs of that kind be performed by `action`.

    Raises:
        ImproperlyConfigured: another one does that.
    """
    known = _actions.setdefault(kind, action)
    if type(known) is not type(action):
        raise ImproperlyConfigured(
            f"Two actions claim “{kind}”: {type(known).__name__} and {type(action).__name__}."
        )
