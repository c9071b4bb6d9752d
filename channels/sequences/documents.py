"""What a version of a sequence consists of, as it is written down in `Version.content`.

Steps stand in a list, and a branch holds a list for either way. Whoever has gone one of its ways
goes on with what stands behind the branch, unless the way says that it ends there. So whatever is
written down leads somewhere, and nothing comes back to itself. The engine reads it as a
`channels.sequences.plans.Plan`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import Annotated, Literal, NamedTuple, Self
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, ConfigDict, Field, model_validator

from channels.sequences import conditions, plans, working_time
from channels.sequences.conditions import Operator, Signal
from channels.sequences.models import Version
from channels.sequences.significance import needed
from channels.sequences.working_time import LONGEST_WAITS, Unit
from salesflow.accounts.ids import uuid7

# Branches within branches: what is nested deeper, nobody reads.
DEEPEST = 3
MOST_STEPS = 100
# As many of each variant as show a rate of 10 % to be better than one of 5 %.
DECIDE_AT = needed(0.05, 0.05)


class Part(BaseModel):
    """Base of all parts: they are replaced, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Wait(Part):
    """How long to wait; see `working_time.Wait`."""

    amount: int = Field(ge=0)
    unit: Unit = Unit.DAYS
    is_working: bool = True

    @model_validator(mode="after")
    def _refuse_too_long(self) -> Self:
        if self.amount > LONGEST_WAITS[self.unit]:
            raise ValueError(_("A wait is no longer than 400 days."))
        return self

    def read(self) -> working_time.Wait:
        """As the engine reads it."""
        return working_time.Wait(self.amount, self.unit, self.is_working)


class VendorTemplate(Part):
    """A text that a vendor has approved, by the vendor's name of it."""

    name: str = Field(min_length=1, max_length=512)
    language: str = Field(min_length=1, max_length=15)


class Variant(Part):
    """One of the texts of a step; see `plans.Variant`."""

    label: str = Field(default="A", min_length=1, max_length=20)
    subject: str = Field(default="", max_length=200)
    body: str = Field(default="", max_length=100_000)
    weight: int = Field(default=1, ge=0, le=1000)
    template: VendorTemplate | None = None

    def read(self) -> plans.Variant:
        """As the engine reads it."""
        vendor = self.template
        return plans.Variant(
            label=self.label,
            body=self.body,
            subject=self.subject,
            weight=self.weight,
            template=plans.Template(vendor.name, vendor.language) if vendor else None,
        )


class Did(Part):
    """Somebody did something with a message; see `conditions.Did`."""

    kind: Literal["did"] = "did"
    signal: Signal = Signal.REPLIED
    step: UUID | None = None

    def read(self) -> conditions.Did:
        """As the engine reads it."""
        return conditions.Did(self.signal, self.step)


class Says(Part):
    """A field of the lead says something; see `conditions.Says`."""

    kind: Literal["says"] = "says"
    name: str = Field(min_length=1, max_length=100)
    operator: Operator = Operator.IS
    value: str = Field(default="", max_length=200)

    def read(self) -> conditions.Says:
        """As the engine reads it."""
        return conditions.Says(self.name, self.operator, self.value)


Condition = Annotated[Did | Says, Field(discriminator="kind")]


class StepBase(Part):
    """What every step has: a key, which stays the same over versions."""

    key: UUID = Field(default_factory=uuid7)


class MessageStep(StepBase):
    """Write on a channel; see `plans.MessageStep`."""

    kind: Literal["message"] = "message"
    channel: Literal["email", "whatsapp"] = "email"
    is_new_thread: bool = False
    variants: tuple[Variant, ...] = Field(default=(Variant(),), min_length=1, max_length=10)


class LinkedInStep(StepBase):
    """Prepare a message that somebody sends by hand; see `plans.LinkedInStep`."""

    kind: Literal["linkedin"] = "linkedin"
    variants: tuple[Variant, ...] = Field(default=(Variant(),), min_length=1, max_length=10)


class WaitStep(StepBase):
    """Let time pass; see `plans.WaitStep`."""

    kind: Literal["wait"] = "wait"
    wait: Wait = Wait(amount=3)


class TaskStep(StepBase):
    """Give somebody of the team something to do; see `plans.TaskStep`."""

    kind: Literal["task"] = "task"
    title: str = Field(default="", max_length=200)
    body: str = Field(default="", max_length=10_000)
    task_kind: Literal["call", "email", "linkedin", "todo"] = "call"
    due: Wait = Wait(amount=1)
    is_waited_for: bool = True


class Way(Part):
    """What is done on one way of a branch.

    Attributes:
        ends: nobody goes on with what stands behind the branch.
    """

    steps: tuple[Step, ...] = ()
    ends: bool = False


class BranchStep(StepBase):
    """Go one way or another; see `plans.BranchStep`."""

    kind: Literal["branch"] = "branch"
    condition: Condition = Says(name="company", operator=Operator.KNOWN)
    within: Wait = Wait(amount=0)
    then: Way = Field(default_factory=Way)
    otherwise: Way = Field(default_factory=lambda: Way(ends=True))


Step = Annotated[
    MessageStep | LinkedInStep | WaitStep | TaskStep | BranchStep, Field(discriminator="kind")
]
Way.model_rebuild()
BranchStep.model_rebuild()
WRITTEN = (MessageStep, LinkedInStep)
KINDS: dict[str, type[StepBase]] = {
    kind.model_fields["kind"].default: kind
    for kind in (MessageStep, WaitStep, TaskStep, LinkedInStep, BranchStep)
}


class Thread(StrEnum):
    """Where the mails of a sequence go on: one behind the other, or each by itself."""

    ONE, EACH = "one", "each"


class Rules(Part):
    """When somebody leaves before the end; see `plans.Rules`."""

    on_reply: bool = True
    on_meeting: bool = True
    on_company_reply: bool = False


class Document(Part):
    """A version of a sequence.

    Attributes:
        calendar_id: a `WorkCalendar`; None: the team's default one.
        account_cap: messages a day through one account, over all sequences; None: no cap.
        sender_cap: likewise in one person's name.
        gap: seconds from any other message of the account, over all sequences, at least; 0: it
            looks at none.
        thread: whether mails go on in the thread of the first one.
        is_tracked: whether opened mails and clicked links are noted.
        re_enrol_after: days after which who has finished may come in again; None: never.
        decide_at: messages of each variant at which a comparison is decided.
    """

    steps: tuple[Step, ...] = ()
    rules: Rules = Rules()
    calendar_id: UUID | None = None
    account_cap: int | None = Field(default=50, ge=1, le=100_000)
    sender_cap: int | None = Field(default=None, ge=1, le=100_000)
    gap: int = Field(default=90, ge=0, le=86_400)
    thread: Thread = Thread.ONE
    is_tracked: bool = False
    re_enrol_after: int | None = Field(default=None, ge=0, le=3650)
    decide_at: int = Field(default=DECIDE_AT, ge=20, le=100_000)

    @model_validator(mode="after")
    def _refuse_thicket(self) -> Self:
        if depth_of(self.steps) > DEEPEST:
            raise ValueError(_("Branches within branches go three deep."))
        if len([*walk(self.steps)]) > MOST_STEPS:
            raise ValueError(_("A sequence has up to 100 steps."))
        return self

    def plan(self, version: Version) -> plans.Plan:
        """As the engine reads it: each step knows those that may come after it."""
        linked = enumerate(_linked(self.steps, None), start=1)
        return plans.Plan(
            id=version.pk,
            sequence_id=version.sequence_id,
            number=version.number,
            name=version.sequence.name,
            steps=tuple(self._planned(number, link) for number, link in linked),
            rules=plans.Rules(**self.rules.model_dump()),
        )

    def _planned(self, number: int, link: Link) -> plans.Step:
        step, after, then = link
        match step:
            case MessageStep():
                return plans.MessageStep(
                    key=step.key,
                    number=number,
                    next=after,
                    channel=step.channel,
                    variants=tuple(variant.read() for variant in step.variants),
                    is_new_thread=step.is_new_thread or self.thread is Thread.EACH,
                )
            case LinkedInStep():
                variants = tuple(variant.read() for variant in step.variants)
                return plans.LinkedInStep(
                    key=step.key, number=number, next=after, variants=variants
                )
            case WaitStep():
                wait = step.wait.read()
                return plans.WaitStep(key=step.key, number=number, next=after, wait=wait)
            case TaskStep():
                return _planned_task(step, number, after)
            case BranchStep():
                return plans.BranchStep(
                    key=step.key,
                    number=number,
                    next=after,
                    condition=step.condition.read(),
                    then=then,
                    within=step.within.read(),
                )


class Link(NamedTuple):
    """A step, and the keys of those that may come after it; `then` is a branch's alone."""

    step: Step
    next: UUID | None
    then: UUID | None = None


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """All steps as they are read from top to bottom, those of branches behind them."""
    for step in steps:
        yield step
        if isinstance(step, BranchStep):
            yield from walk(step.then.steps)
            yield from walk(step.otherwise.steps)


def depth_of(steps: Sequence[Step]) -> int:
    """How many branches stand within each other, at most."""
    branches = [step for step in steps if isinstance(step, BranchStep)]
    ways = [way for branch in branches for way in (branch.then, branch.otherwise)]
    return 1 + max(depth_of(way.steps) for way in ways) if ways else 0


def _linked(steps: Sequence[Step], after: UUID | None) -> Iterator[Link]:
    for step, behind in zip_longest(steps, steps[1:]):
        following = behind.key if behind else after
        if not isinstance(step, BranchStep):
            yield Link(step, following)
            continue
        ways = [(way, None if way.ends else following) for way in (step.otherwise, step.then)]
        yield Link(step, *(_first_of(way, goes_on) for way, goes_on in ways))
        for way, goes_on in reversed(ways):
            yield from _linked(way.steps, goes_on)


def _first_of(way: Way, goes_on: UUID | None) -> UUID | None:
    return way.steps[0].key if way.steps else goes_on


def _planned_task(step: TaskStep, number: int, after: UUID | None) -> plans.TaskStep:
    return plans.TaskStep(
        key=step.key,
        number=number,
        next=after,
        title=step.title,
        body=step.body,
        task_kind=step.task_kind,
        due=step.due.read(),
        is_waited_for=step.is_waited_for,
    )
