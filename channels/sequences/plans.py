"""A published version of a sequence, as the engine and the preview read it.

Pure and frozen: whoever is under way finishes on the version they started, so nothing in it ever
changes, and it may be kept by its id. Steps know each other by their keys, which stay the same over
versions; they are executed one after another, each once at most, and never in a circle.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import ClassVar
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.sequences.conditions import Condition, Did
from channels.sequences.spreading import share_of
from channels.sequences.working_time import Wait
from channels.templating import Malformed, variables_of

AT_ONCE = Wait(0)


class Kind(StrEnum):
    """What a step does."""

    MESSAGE, WAIT, TASK = "message", "wait", "task"
    LINKEDIN, BRANCH = "linkedin", "branch"


@dataclass(frozen=True)
class Template:
    """A text that a vendor has approved; the copy in the variant says what it reads like."""

    name: str
    language: str


@dataclass(frozen=True)
class Variant:
    """One of the texts of a step.

    Attributes:
        label: such as "A", unique in its step.
        weight: its share beside those of the others; 0: nobody gets it any more.
        subject: empty where the channel knows none, or to go on in the thread.
        body: with variables, see `channels.templating`.
    """

    label: str
    body: str
    subject: str = ""
    weight: int = 1
    template: Template | None = None


@dataclass(frozen=True, kw_only=True)
class _Step:
    """What every step has.

    Attributes:
        key: the same in all versions.
        number: its place in the list as people see it, from 1 on.
        next: the key of the step after it; None: it is the last one.
    """

    key: UUID
    number: int
    next: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class MessageStep(_Step):
    """Write on a channel."""

    kind: ClassVar[Kind] = Kind.MESSAGE
    channel: str
    variants: tuple[Variant, ...]
    is_new_thread: bool = False


@dataclass(frozen=True, kw_only=True)
class LinkedInStep(_Step):
    """Prepare a message that somebody sends by hand; the next step waits until they did."""

    kind: ClassVar[Kind] = Kind.LINKEDIN
    channel: ClassVar[str] = "linkedin"
    variants: tuple[Variant, ...]


@dataclass(frozen=True, kw_only=True)
class WaitStep(_Step):
    """Let time pass since the step before was settled."""

    kind: ClassVar[Kind] = Kind.WAIT
    wait: Wait


@dataclass(frozen=True, kw_only=True)
class TaskStep(_Step):
    """Give somebody of the team something to do.

    Attributes:
        title: with variables, as is `body`.
        task_kind: call, email, linkedin or todo.
        due: how long there is time for it.
        is_waited_for: whether the next step waits until it is done or skipped.
    """

    kind: ClassVar[Kind] = Kind.TASK
    title: str
    body: str = ""
    task_kind: str = "todo"
    due: Wait = AT_ONCE
    is_waited_for: bool = True


@dataclass(frozen=True, kw_only=True)
class BranchStep(_Step):
    """Go one way or another.

    Attributes:
        next: the way where the condition does not hold.
        then: the way where it does; None: it ends there.
        within: how long it may take to become true; no time: it is asked once.
    """

    kind: ClassVar[Kind] = Kind.BRANCH
    condition: Condition
    then: UUID | None = None
    within: Wait = AT_ONCE


Step = MessageStep | LinkedInStep | WaitStep | TaskStep | BranchStep


@dataclass(frozen=True)
class Rules:
    """When somebody leaves before the end, beside what always ends it: an opt-out, a bounce, a lead
    that is won, lost or gone.

    Attributes:
        on_reply: they wrote to us, on any channel.
        on_meeting: they booked a meeting.
        on_company_reply: a colleague of theirs wrote to us.
    """

    on_reply: bool = True
    on_meeting: bool = True
    on_company_reply: bool = False


@dataclass(frozen=True)
class Plan:
    """A version: its steps, of which the first one comes first.

    Attributes:
        id: of the version.
        number: of the version, from 1 on.
        name: of the sequence.
    """

    id: UUID
    sequence_id: UUID
    number: int
    name: str
    steps: tuple[Step, ...]
    rules: Rules = field(default_factory=Rules)

    @property
    def first(self) -> UUID | None:
        """The key of the first step; None in an empty plan."""
        return self.steps[0].key if self.steps else None

    def step(self, key: UUID) -> Step:
        """The step with this key.

        Raises:
            KeyError: there is none.
        """
        return self._by_key[key]

    @cached_property
    def _by_key(self) -> Mapping[UUID, Step]:
        return {step.key: step for step in self.steps}


@dataclass(frozen=True)
class Fault:
    """Why a plan cannot be published.

    Attributes:
        step: the key of the step that it lies in; None: in the plan as a whole.
    """

    step: UUID | None
    reason: str | Promise


def variant_for(enrolment_id: UUID, step: MessageStep | LinkedInStep) -> Variant:
    """The variant that an enrolment gets: always the same, and over many as the weights say.

    Raises:
        ValueError: no variant has a weight.
    """
    total = sum(variant.weight for variant in step.variants)
    place = share_of(enrolment_id, step.key) * total
    for variant in step.variants:
        place -= variant.weight
        if place < 0:
            return variant
    raise ValueError(f"Step {step.number} has no variant to send.")


def faults_of(plan: Plan) -> tuple[Fault, ...]:
    """All that keeps a plan from being published, in the order of its steps."""
    if not plan.steps:
        return (Fault(None, _("There are no steps.")),)
    keys = Counter(step.key for step in plan.steps)
    own = [Fault(step.key, reason) for step in plan.steps for reason in _faults_in(step, keys)]
    if own:
        # What cannot be followed cannot be walked, either.
        return tuple(own)
    return tuple(_faults_of_ways(plan))


def _faults_in(step: Step, keys: Counter[UUID]) -> Iterator[str | Promise]:
    if keys[step.key] > 1:
        yield _("Two steps have the same key.")
    if any(way not in keys for way in ways_of(step)):
        yield _("It leads to a step that does not exist.")
    match step:
        case MessageStep() | LinkedInStep():
            yield from _faults_of_variants(step)
        case TaskStep():
            yield from _faults_of_task(step)
        case WaitStep():
            if step.wait.amount == 0:
                yield _("Its wait is zero.")
        case BranchStep():
            yield from _faults_of_branch(step, keys)


def _faults_of_task(step: TaskStep) -> Iterator[str | Promise]:
    if not step.title.strip():
        yield _("The task has no title.")
    yield from _faults_of_texts(step.title, step.body)


def _faults_of_branch(step: BranchStep, keys: Counter[UUID]) -> Iterator[str | Promise]:
    if step.then == step.next:
        yield _("Both ways lead to the same step.")
    if isinstance(step.condition, Did) and step.condition.step not in (None, *keys):
        yield _("It asks about a step that does not exist.")


def _faults_of_variants(step: MessageStep | LinkedInStep) -> Iterator[str | Promise]:
    labels = [variant.label for variant in step.variants]
    if any(variant.weight < 0 for variant in step.variants):
        yield _("A share is below 0.")
    if not any(variant.weight > 0 for variant in step.variants):
        yield _("No variant would be sent: give one a share.")
    if len({*labels}) < len(labels):
        yield _("Two variants have the same name.")
    if not all(variant.body.strip() for variant in step.variants):
        yield _("A variant has no text.")
    for variant in step.variants:
        yield from _faults_of_texts(variant.subject, variant.body)


def _faults_of_texts(*texts: str) -> Iterator[str | Promise]:
    for text in texts:
        try:
            variables_of(text)
        except Malformed as malformed:
            yield malformed.reason


def _faults_of_ways(plan: Plan) -> Iterator[Fault]:
    reached = _reached_in(plan)
    for step in plan.steps:
        if step.key not in reached:
            yield Fault(step.key, _("No way leads to it."))
    try:
        TopologicalSorter({step.key: ways_of(step) for step in plan.steps}).prepare()
    except CycleError as error:
        circle: list[UUID] = error.args[1]
        yield Fault(circle[0], _("It comes back to itself: a sequence has to end."))


def _reached_in(plan: Plan) -> set[UUID]:
    reached, waiting = set(), [plan.steps[0].key]
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += ways_of(plan.step(key))
    return reached


def ways_of(step: Step) -> tuple[UUID, ...]:
    """The keys of the steps that may come after it."""
    ways = (step.next, step.then) if isinstance(step, BranchStep) else (step.next,)
    return tuple(way for way in ways if way is not None)
