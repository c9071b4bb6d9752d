"""What keeps a document from being published, said at the step in which it lies."""

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from channels.sequences import conditions, plans
from channels.sequences.asking import is_askable
from channels.sequences.conditions import Signal
from channels.sequences.documents import (
    WRITTEN,
    BranchStep,
    Did,
    Document,
    LinkedInStep,
    MessageStep,
    Says,
    Step,
    TaskStep,
    Thread,
    walk,
)
from channels.sequences.plans import Fault, Plan, ways_of
from channels.templating import Malformed, variables_of
from channels.variables import is_known, names_in_words

PLANNED = (plans.MessageStep, plans.LinkedInStep)


def faults_of(document: Document, plan: Plan) -> list[Fault]:
    """All that keeps a document from being published, in the order of its steps.

    Args:
        plan: what it comes to.
    """
    faults = [*plans.faults_of(plan), *_faults_of_texts(document), *_faults_of_order(plan)]
    places = {step.key: step.number for step in plan.steps}
    return sorted(faults, key=lambda fault: places[fault.step] if fault.step else 0)


def texts_of(step: Step) -> list[str]:
    """What stands in a step that variables may stand in."""
    match step:
        case MessageStep() | LinkedInStep():
            return [text for each in step.variants for text in (each.subject, each.body)]
        case TaskStep():
            return [step.title, step.body]
        case _:
            return []


def _faults_of_texts(document: Document) -> Iterator[Fault]:
    written = {step.key for step in walk(document.steps) if isinstance(step, WRITTEN)}
    for step in walk(document.steps):
        if names := _unknown_in(step):
            reason = _("There is no variable %(names)s.")
            yield Fault(step.key, reason % {"names": names_in_words(names)})
        if isinstance(step, BranchStep):
            yield from _faults_of_question(step, document, written)
    yield from _faults_of_subjects(document.steps, document.thread is Thread.EACH, begun=False)


def _faults_of_order(plan: Plan) -> Iterator[Fault]:
    """Branches that ask about what cannot have been sent by then."""
    written = {step.key for step in plan.steps if isinstance(step, PLANNED)}
    for step in plan.steps:
        if isinstance(step, plans.BranchStep) and isinstance(step.condition, conditions.Did):
            asked = {step.condition.step} if step.condition.step else written
            # A step that sends nothing is told as such.
            if asked <= written and step.key not in _behind(plan, asked):
                yield Fault(step.key, _("No message comes before it that it could ask about."))


def _behind(plan: Plan, keys: Iterable[UUID]) -> set[UUID]:
    """The steps to which a way leads from any of these."""
    found: set[UUID] = set()
    waiting = [way for key in keys for way in ways_of(plan.step(key))]
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += ways_of(plan.step(key))
    return found


def _unknown_in(step: Step) -> list[str]:
    found: dict[str, None] = {}
    for text in texts_of(step):
        try:
            found |= dict.fromkeys(variable.name for variable in variables_of(text))
        except Malformed:
            # The plan's faults tell it.
            continue
    return [name for name in found if not is_known(name)]


def _faults_of_subjects(
    steps: Sequence[Step], each: bool, *, begun: bool
) -> Generator[Fault, None, bool]:
    """Returns whether everybody who comes to the end of these steps has got a mail."""
    for step in steps:
        match step:
            case MessageStep(channel="email"):
                is_first = each or step.is_new_thread or not begun
                if is_first and not all(variant.subject.strip() for variant in step.variants):
                    yield Fault(step.key, _("A mail that begins a thread needs a subject."))
                begun = True
            case MessageStep() | LinkedInStep():
                if any(variant.subject.strip() for variant in step.variants):
                    yield Fault(step.key, _("Only e-mails have a subject."))
            case BranchStep():
                ends = []
                for way in (step.then, step.otherwise):
                    has_begun = yield from _faults_of_subjects(way.steps, each, begun=begun)
                    ends.append(way.ends or has_begun)
                begun = all(ends)
    return begun


def _faults_of_question(
    step: BranchStep, document: Document, written: Collection[UUID]
) -> Iterator[Fault]:
    match step.condition:
        case Says(name=name) if not is_askable(name):
            reason = _("There is no variable %(names)s.")
            yield Fault(step.key, reason % {"names": names_in_words([name])})
        case Did(step=asked) if asked and asked not in written:
            yield Fault(step.key, _("It asks about a step that sends nothing."))
        case Did(signal=Signal.REPLIED) if document.rules.on_reply:
            yield Fault(step.key, _("Whoever replies leaves the sequence: nobody comes here."))
        case Did(signal=Signal.OPENED | Signal.CLICKED) if not document.is_tracked:
            yield Fault(step.key, _("Opened mails and clicks are not noted: see the settings."))
