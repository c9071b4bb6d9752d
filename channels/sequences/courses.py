"""What happens to somebody at one time: some steps, perhaps, and where that ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeGuard
from uuid import UUID

from channels.models import Message
from channels.sequences.deciding import advance, decide
from channels.sequences.decisions import (
    Action,
    AddTask,
    Decision,
    Facts,
    Park,
    Pass,
    Prepare,
    Rest,
    Send,
    State,
    Turn,
)
from channels.sequences.models import Enrolment
from channels.sequences.plans import Plan


@dataclass
class Course:
    """See the module.

    Attributes:
        state: where they are before `end`.
        steps: what is executed, in order. A branch, a task that nobody waits for and a wait that
            is over are followed by what comes next.
        end: what was decided last: something that has to be waited for, or that nothing happens.
        message: what was queued or prepared, if `end` writes.
        tasks: the ids of those that were added, by key of the step.
    """

    row: Enrolment
    plan: Plan
    facts: Facts
    state: State
    steps: list[Action] = field(default_factory=list)
    end: Decision = field(default_factory=Park)
    message: Message | None = None
    tasks: dict[UUID, UUID] = field(default_factory=dict)

    def follow(self, now: datetime, note: Callable[["Course", Decision], None]) -> None:
        """Decide step by step until something has to be waited for.

        Args:
            note: is told of each decision, while `state` is what it was made of.
        """
        self.end = self._decide(now, note)
        while _is_followed(self.end, now):
            if not isinstance(self.end, Pass):
                self.steps.append(self.end)
            self.state = advance(self.state, self.end, now)
            self.end = self._decide(now, note)
        if isinstance(self.end, (AddTask, Rest)):
            self.steps.append(self.end)

    def write(self, message: Message) -> None:
        """What was to be written is queued, or prepared."""
        assert isinstance(self.end, (Send, Prepare))
        self.message = message
        self.steps.append(self.end)

    def state_after(self, now: datetime) -> State:
        """Where they are then: behind the last step, if that was executed."""
        has_acted = bool(self.steps) and self.steps[-1] is self.end
        return advance(self.state, self.steps[-1], now) if has_acted else self.state

    def _decide(self, now: datetime, note: Callable[["Course", Decision], None]) -> Decision:
        decision = decide(self.plan, self.state, self.facts, now)
        note(self, decision)
        return decision


def step_after(action: Action) -> UUID | None:
    """The key of the step that comes after one that was executed."""
    return action.next if isinstance(action, Turn) else action.step.next


def channel_of(action: Decision) -> str:
    """The channel on which it writes; empty where it does not."""
    return action.step.channel if isinstance(action, (Send, Prepare)) else ""


def _is_followed(decision: Decision, now: datetime) -> TypeGuard[Action | Pass]:
    match decision:
        case Pass() | Turn():
            return True
        case AddTask():
            return not decision.step.is_waited_for
        case Rest():
            return decision.until <= now
        case _:
            return False
