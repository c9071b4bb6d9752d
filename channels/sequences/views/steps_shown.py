"""Steps as a page shows them: a sentence, an icon, and where they stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from channels.models import Channel
from channels.sequences.conditions import Operator, Signal
from channels.sequences.documents import (
    BranchStep,
    Did,
    LinkedInStep,
    MessageStep,
    Says,
    Step,
    TaskStep,
    Wait,
    WaitStep,
)
from channels.sequences.editing import WAYS
from channels.sequences.plans import Fault
from channels.sequences.step_forms import OPERATORS
from channels.sequences.working_time import Unit

ICONS = {
    "email": "envelope",
    "whatsapp": "chat-bubble-left-ellipsis",
    "linkedin": "user-circle",
    "wait": "clock",
    "task": "clipboard-document-check",
    "branch": "arrows-right-left",
}
# What can be put in, in the order in which it is offered.
KINDS: tuple[tuple[str, str | Promise, str], ...] = (
    ("message", gettext_lazy("Message"), "envelope"),
    ("wait", gettext_lazy("Wait"), "clock"),
    ("task", gettext_lazy("Task for a colleague"), "clipboard-document-check"),
    ("linkedin", gettext_lazy("LinkedIn, by hand"), "user-circle"),
    ("branch", gettext_lazy("Branch"), "arrows-right-left"),
)
Stages = Mapping[str, str]
NAMELESS: Stages = {}
# What is asked beside fields that have a name in templates.
ASKED: Mapping[str, str | Promise] = {
    "stage": gettext_lazy("the stage"),
    "source": gettext_lazy("the source"),
    "tag": gettext_lazy("the tag"),
}
SIGNALS: Mapping[Signal, str | Promise] = {
    Signal.REPLIED: gettext_lazy("If they replied"),
    Signal.OPENED: gettext_lazy("If they opened a mail"),
    Signal.CLICKED: gettext_lazy("If they clicked on a link"),
}


@dataclass(frozen=True)
class Summary:
    """A step in a line: what it does, more about it, and its icon."""

    title: str
    text: str
    icon: str


@dataclass(frozen=True)
class ShownStep:
    """A step as the builder shows it.

    Attributes:
        faults: what keeps it from being published.
        ways: of a branch: its two lists, each with its name and whether it ends there.
        is_first, is_last: of the whole list: it cannot be moved up, or down.
        day: on which it comes at the earliest, the first one being 1; None behind ways that take
            their time differently.
        sent, replied: figures over all versions; empty where nothing was sent.
    """

    step: Step
    number: int
    summary: Summary
    faults: list[str] = field(default_factory=list)
    ways: list[tuple[str, bool, list["ShownStep"]]] = field(default_factory=list)
    is_first: bool = False
    is_last: bool = False
    day: int | None = None
    sent: str = ""
    replied: str = ""


def shown_steps(
    steps: Sequence[Step],
    faults: Sequence[Fault] = (),
    figures: Mapping[UUID, tuple[str, str]] | None = None,
    stages: Stages = NAMELESS,
) -> list[ShownStep]:
    """The steps as the builder shows them, branches with what stands in them.

    Args:
        faults: of the document.
        figures: sent and replied, by key of the step.
        stages: see `summary_of`.
    """
    by_step: dict[UUID, list[str]] = {}
    for fault in faults:
        if fault.step:
            by_step.setdefault(fault.step, []).append(str(fault.reason))
    numbers, days = iter(range(1, 1000)), days_of(steps)
    ends = (steps[0].key, steps[-1].key) if steps else (None, None)

    def show(step: Step) -> ShownStep:
        number = next(numbers)
        sent, replied = (figures or {}).get(step.key, ("", ""))
        return ShownStep(
            step=step,
            number=number,
            summary=summary_of(step, stages),
            faults=by_step.get(step.key, []),
            ways=[
                (name, getattr(step, name).ends, list(map(show, getattr(step, name).steps)))
                for name in (WAYS if isinstance(step, BranchStep) else ())
            ],
            is_first=step.key == ends[0],
            is_last=step.key == ends[1],
            day=days[step.key],
            sent=sent,
            replied=replied,
        )

    return list(map(show, steps))


def days_of(steps: Sequence[Step]) -> dict[UUID, int | None]:
    """On which day each step comes at the earliest, by its key; see `ShownStep.day`."""
    found: dict[UUID, int | None] = {}

    def count(steps: Sequence[Step], day: int | None) -> int | None:
        for step in steps:
            found[step.key] = day
            if isinstance(step, WaitStep) and step.wait.unit is Unit.DAYS and day:
                day += step.wait.amount
            if isinstance(step, BranchStep):
                ways = [(way, count(way.steps, day)) for way in (step.then, step.otherwise)]
                going_on = {after for way, after in ways if not way.ends}
                day = going_on.pop() if len(going_on) == 1 else None
        return day

    count(steps, 1)
    return found


def summary_of(step: Step, stages: Stages = NAMELESS) -> Summary:
    """A step in a line.

    Args:
        stages: the names of those that branches ask about, by id.
    """
    match step:
        case MessageStep(channel=channel):
            return Summary(_titled(step), _texts(step, Channel(channel).label), ICONS[channel])
        case LinkedInStep():
            return Summary(_titled(step), _texts(step, Channel.LINKEDIN.label), ICONS["linkedin"])
        case WaitStep(wait=wait):
            return Summary(_("Wait %(time)s") % {"time": wait_in_words(wait)}, "", ICONS["wait"])
        case TaskStep():
            title = step.title or _("A task without a title")
            due = _("within %(time)s") % {"time": wait_in_words(step.due)}
            return Summary(title, due if step.due.amount else "", ICONS["task"])
        case BranchStep():
            return Summary(
                condition_in_words(step.condition, stages), _patience(step), ICONS["branch"]
            )


def wait_in_words(wait: Wait) -> str:
    """Such as "3 working days"."""
    n, is_working = wait.amount, wait.is_working
    match wait.unit:
        case Unit.DAYS if is_working:
            text = ngettext("%(n)s working day", "%(n)s working days", n)
        case Unit.DAYS:
            text = ngettext("%(n)s day", "%(n)s days", n)
        case Unit.HOURS if is_working:
            text = ngettext("%(n)s working hour", "%(n)s working hours", n)
        case Unit.HOURS:
            text = ngettext("%(n)s hour", "%(n)s hours", n)
        case _:
            text = ngettext("%(n)s minute", "%(n)s minutes", n)
    return text % {"n": n}


def condition_in_words(condition: Did | Says, stages: Stages = NAMELESS) -> str:
    """What a branch asks; see `summary_of`."""
    if isinstance(condition, Did):
        return str(SIGNALS[condition.signal])
    operator = str(dict(OPERATORS)[condition.operator.value])
    value = condition.value
    if condition.name == "stage":
        value = stages.get(value, _("a stage that is gone"))
    name = ASKED.get(condition.name, condition.name)
    told = {"name": name, "operator": operator, "value": value}
    if condition.operator in (Operator.KNOWN, Operator.UNKNOWN):
        return _("If %(name)s %(operator)s") % told
    return _("If %(name)s %(operator)s “%(value)s”") % told


def walk_shown(steps: Sequence[ShownStep]) -> Iterator[ShownStep]:
    """All of them from top to bottom."""
    for shown in steps:
        yield shown
        for _name, _ends, inner in shown.ways:
            yield from walk_shown(inner)


def _titled(step: MessageStep | LinkedInStep) -> str:
    first = step.variants[0]
    words = first.subject.strip() or " ".join(first.body.split())
    return words[:80] or _("Nothing is written yet")


def _texts(step: MessageStep | LinkedInStep, channel: object) -> str:
    count = len(step.variants)
    if count < 2:
        return str(channel)
    variants = ngettext("%(n)s variant", "%(n)s variants", count) % {"n": count}
    return f"{channel} · {variants}"


def _patience(step: BranchStep) -> str:
    if not step.within.amount:
        return ""
    return _("waits for it up to %(time)s") % {"time": wait_in_words(step.within)}
