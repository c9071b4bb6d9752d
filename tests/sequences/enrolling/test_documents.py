"""Documents: what is written down, what the engine makes of it, and what cannot be published."""

from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from channels.sequences import plans
from channels.sequences.conditions import Operator, Signal
from channels.sequences.documents import (
    BranchStep,
    Did,
    Document,
    MessageStep,
    Says,
    Step,
    TaskStep,
    Thread,
    Variant,
    VendorTemplate,
    Wait,
    WaitStep,
    Way,
    walk,
)
from channels.sequences.faults import faults_of
from channels.sequences.models import Sequence, Version
from channels.sequences.working_time import Unit
from tests.sequences.engine.factories import branch, days, linkedin, mail, task

KNOWN = Says(name="company", operator=Operator.KNOWN)


def plan_of(document: Document) -> plans.Plan:
    sequence = Sequence(id=UUID(int=1), name="Welcome")
    return document.plan(Version(id=UUID(int=2), sequence=sequence, number=3))


def planned(*steps: Step, **settings: Any) -> plans.Plan:
    return plan_of(Document(steps=steps, **settings))


def ways(plan: plans.Plan) -> list[tuple[int | None, ...]]:
    """Where each step leads, by the numbers of the steps."""
    numbers: dict[UUID | None, int | None] = {step.key: step.number for step in plan.steps}
    numbers[None] = None
    return [
        (numbers[step.next], numbers[step.then])
        if isinstance(step, plans.BranchStep)
        else (numbers[step.next],)
        for step in plan.steps
    ]


def faults(*steps: Step, **settings: Any) -> list[tuple[int | None, str]]:
    """What is wrong, with the number of the step in which it lies."""
    document = Document(steps=steps, **settings)
    plan = plan_of(document)
    numbers: dict[UUID | None, int | None] = {step.key: step.number for step in plan.steps}
    return [(numbers.get(each.step), str(each.reason)) for each in faults_of(document, plan)]


def test_steps_follow_each_other() -> None:
    plan = planned(mail(), days(3), task())
    assert [step.number for step in plan.steps] == [1, 2, 3]
    assert ways(plan) == [(2,), (3,), (None,)]
    assert (plan.name, plan.number, plan.sequence_id) == ("Welcome", 3, UUID(int=1))


def test_both_ways_of_a_branch_come_back_behind_it() -> None:
    plan = planned(mail(), branch(KNOWN, [task(), days(1)], [mail("Hm")]), linkedin())
    # 1 mail, 2 branch, then 3 and 4, otherwise 5, 6 behind it.
    assert ways(plan) == [(2,), (5, 3), (4,), (6,), (6,), (None,)]


def test_empty_way_goes_on_and_one_that_ends_does_not() -> None:
    ending = BranchStep(condition=KNOWN, then=Way(ends=True), otherwise=Way())
    assert ways(planned(mail(), ending, mail("More"))) == [(2,), (3, None), (None,)]
    busy = BranchStep(
        condition=KNOWN, then=Way(steps=(task(),), ends=True), otherwise=Way(steps=(days(1),))
    )
    assert ways(planned(busy, mail())) == [(3, 2), (None,), (4,), (None,)]


def test_branches_stand_in_branches() -> None:
    inner = branch(KNOWN, [task("A")], [task("B")])
    plan = planned(branch(KNOWN, [inner], []), mail())
    # 1 branch, 2 inner branch, 3 and 4 its ways, 5 behind both.
    assert ways(plan) == [(5, 2), (4, 3), (5,), (5,), (None,)]


def test_document_is_the_same_after_it_was_kept() -> None:
    variants = (
        Variant(label="A", subject="Hi", body="Hello", weight=2),
        Variant(label="B", body="Hey", template=VendorTemplate(name="hey", language="en_US")),
    )
    document = Document(
        steps=(
            MessageStep(channel="whatsapp", variants=variants),
            WaitStep(wait=Wait(amount=90, unit=Unit.MINUTES, is_working=False)),
            branch(Did(signal=Signal.CLICKED), [linkedin()], [task()]),
        ),
        thread=Thread.EACH,
        is_tracked=True,
        account_cap=None,
        re_enrol_after=30,
    )
    assert Document.model_validate(document.model_dump(mode="json")) == document


def test_thread_of_each_lets_every_mail_begin_one() -> None:
    steps = (mail(), mail("More", is_new_thread=True), mail("Even more"))
    for thread, begins in ((Thread.ONE, [False, True, False]), (Thread.EACH, [True] * 3)):
        plan = planned(*steps, thread=thread)
        assert [step.is_new_thread for step in plan.steps] == begins  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "content",
    [
        {"steps": [{"kind": "fax"}]},
        {"steps": [{"kind": "wait", "wait": {"amount": 401}}]},
        {"steps": [{"kind": "wait", "wait": {"amount": -1}}]},
        {"steps": [{"kind": "message", "channel": "linkedin"}]},
        {"steps": [{"kind": "message", "variants": []}]},
        {"colour": "red"},
        {"account_cap": 0},
        {"decide_at": 1},
    ],
)
def test_what_cannot_be_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Document.model_validate(content)


def test_thicket_is_refused() -> None:
    deep: Step = task()
    for _ in range(3):
        deep = branch(KNOWN, [deep], [])
    Document(steps=(deep,))
    with pytest.raises(ValidationError, match="three deep"):
        Document(steps=(branch(KNOWN, [deep], []),))
    with pytest.raises(ValidationError, match="100 steps"):
        Document(steps=tuple(task() for _ in range(101)))


def test_steps_are_walked_as_they_are_read() -> None:
    document = Document(steps=(task("1"), branch(KNOWN, [task("3")], [task("4")]), task("5")))
    titles = [getattr(step, "title", "branch") for step in walk(document.steps)]
    assert titles == ["1", "branch", "3", "4", "5"]


def test_sound_document_has_no_faults() -> None:
    assert faults(mail(), days(3), mail("More", ""), branch(KNOWN, [task()], [])) == []


def test_nothing_is_a_fault_of_the_whole() -> None:
    assert faults() == [(None, "There are no steps.")]


@pytest.mark.parametrize(
    ("steps", "settings", "number", "words"),
    [
        ([mail("Hello {{ fist_name }}")], {}, 1, "no variable “fist_name”"),
        ([mail("Hello {{ first_name")], {}, 1, "two braces"),
        ([mail("")], {}, 1, "no text"),
        ([mail(), task("")], {}, 2, "no title"),
        ([mail("Hello", "")], {}, 1, "begins a thread needs a subject"),
        ([mail(), mail("More", "", is_new_thread=True)], {}, 2, "needs a subject"),
        ([mail(), mail("More", "")], {"thread": "each"}, 2, "needs a subject"),
        ([MessageStep(channel="whatsapp", variants=mail().variants)], {}, 1, "Only e-mails"),
        ([mail(), branch(Did(signal=Signal.REPLIED), [task()], [])], {}, 2, "Whoever replies"),
        ([mail(), branch(Did(signal=Signal.OPENED), [task()], [])], {}, 2, "not noted"),
        ([mail(), branch(KNOWN, [], [])], {}, 2, "Both ways"),
        ([mail(), branch(Says(name="x", value="y"), [task()], [])], {}, 2, "no variable “x”"),
        ([mail(), branch(Did(step=UUID(int=9)), [task()], [])], {}, 2, "step that"),
        ([WaitStep(wait=Wait(amount=0))], {}, 1, "wait is zero"),
    ],
)
def test_fault_is_told_at_its_step(
    steps: list[Step], settings: dict[str, Any], number: int, words: str
) -> None:
    found = faults(*steps, **settings)
    assert any(place == number and words in reason for place, reason in found), found


def test_mail_behind_a_branch_needs_a_subject_where_one_way_had_none() -> None:
    follow_up = mail("More", "")
    one_way = branch(KNOWN, [mail()], [task()])
    assert [place for place, _reason in faults(one_way, follow_up)] == [4]
    assert faults(branch(KNOWN, [mail()], [mail("Hey", "Hey")]), follow_up) == []
    ending = BranchStep(
        condition=KNOWN, then=Way(steps=(mail(),)), otherwise=Way(steps=(task(),), ends=True)
    )
    assert faults(ending, follow_up) == []


def test_what_is_tracked_and_what_does_not_end_may_be_asked() -> None:
    clicked = branch(Did(signal=Signal.CLICKED), [task()], [])
    assert faults(mail(), clicked, is_tracked=True) == []
    replied = branch(Did(signal=Signal.REPLIED), [task()], [])
    assert faults(mail(), replied, rules={"on_reply": False}) == []


def test_branch_may_ask_only_about_a_message_that_comes_before_it() -> None:
    early, late = mail("One"), mail("Two")
    asks_late = branch(Did(signal=Signal.CLICKED, step=late.key), [task()], [])
    told = "No message comes before it that it could ask about."
    assert faults(early, asks_late, late, is_tracked=True) == [(2, told)]
    assert faults(early, late, asks_late, is_tracked=True) == []
    asks_any = branch(Did(signal=Signal.CLICKED), [task()], [])
    assert faults(asks_any, early, is_tracked=True) == [(1, told)]
    # What is sent on the other way is no better; on one way before it, it is.
    fork = branch(KNOWN, [late], [asks_late])
    assert faults(early, fork, is_tracked=True) == [(4, told)]
    assert faults(branch(KNOWN, [late], [task()]), asks_late, is_tracked=True) == []


def test_task_keeps_what_it_says() -> None:
    step = TaskStep(title="Call", task_kind="call", due=Wait(amount=2), is_waited_for=False)
    [read] = planned(step).steps
    assert isinstance(read, plans.TaskStep)
    assert (read.title, read.task_kind, read.due.amount, read.is_waited_for) == (
        *("Call", "call"),
        *(2, False),
    )
