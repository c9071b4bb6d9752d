"""Trying an endpoint: asking its model for one word, by a schema, as all that is asked is."""

from typing import Literal

from pydantic import BaseModel

from channels.autopilot.actions import Prompt, register_action
from channels.autopilot.client import Message
from channels.autopilot.completions import Completion
from channels.autopilot.models import ActionType, Run
from channels.autopilot.outcomes import Outcome

VERSION = "1"
# More than the answer needs: some models think before they write.
MOST_TOKENS = 500


class Ready(BaseModel):
    """The answer."""

    status: Literal["ready"]


class Checking:
    """Tries an endpoint; nothing is done with its answer."""

    def build(self, run: Run) -> Prompt:
        """A prompt that holds nothing of anybody."""
        messages = [
            Message(role="system", content="You are being tested. Answer in JSON."),
            Message(role="user", content='Answer with exactly {"status": "ready"}.'),
        ]
        return Prompt("check", VERSION, messages, Ready, MOST_TOKENS)

    def apply(self, run: Run, completion: Completion) -> Outcome:
        """It works."""
        return Outcome.ANSWERED


register_action(ActionType.CHECK, Checking())
