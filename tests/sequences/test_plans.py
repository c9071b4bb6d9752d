"""Published versions: what keeps one from being published, and who gets which text."""

from collections import Counter
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from channels.sequences.conditions import Did, Signal
from channels.sequences.plans import (
    Kind,
    MessageStep,
    Plan,
    Step,
    Variant,
    faults_of,
    variant_for,
)
from tests.sequences.plan_factories import branch, key, linkedin, make_plan, message, task, wait


def with_variants(*weights: int) -> MessageStep:
    variants = (Variant(label, "Hi", weight=weight) for label, weight in zip("ABC", weights))  # noqa: B905
    return replace(message(1), variants=tuple(variants))


def test_sound_plan_has_no_faults() -> None:
    steps: list[Step] = [message(1), wait(2), branch(3, 4, 5), task(4), linkedin(5)]
    plan = make_plan(*steps)
    assert faults_of(plan) == ()
    assert [step.kind for step in plan.steps] == [
        Kind.MESSAGE,
        Kind.WAIT,
        Kind.BRANCH,
        Kind.TASK,
        Kind.LINKEDIN,
    ]
    assert plan.first == key(1)
    assert plan.step(key(4)).next == key(5)


@pytest.mark.parametrize(
    ("steps", "at", "words"),
    [
        ([], None, "no steps"),
        ([replace(message(1), variants=())], 1, "No variant"),
        ([with_variants(0, 0)], 1, "No variant"),
        ([with_variants(2, -1)], 1, "below 0"),
        ([replace(message(1), variants=(Variant("A", "x"), Variant("A", "y")))], 1, "same name"),
        ([message(1, body=" ")], 1, "no text"),
        ([message(1, body="Hi {{ first_name }")], 1, "two braces"),
        ([message(1), wait(2, 0)], 2, "wait is zero"),
        ([task(1, title=" ")], 1, "no title"),
        ([task(1, title="Call {{ }}")], 1, "no name"),
        ([message(1), message(1)], 1, "same key"),
        ([message(1), branch(2, 3, 3), task(3)], 2, "same step"),
        ([message(1), branch(2, None, None)], 2, "same step"),
        ([message(1), branch(2, 9, 3), task(3)], 2, "does not exist"),
        ([message(1), branch(2, 3, None, Did(Signal.OPENED, UUID(int=9))), task(3)], 2, "asks"),
        ([message(1), branch(2, 1, 3), task(3)], 1, "comes back"),
    ],
)
def test_fault_is_told_with_its_step(steps: list[Step], at: int | None, words: str) -> None:
    faults = faults_of(make_plan(*steps))
    assert faults
    assert faults[0].step == (key(at) if at else None)
    assert words in str(faults[0].reason)


def test_step_that_leads_nowhere_is_told() -> None:
    plan = make_plan(message(1), replace(wait(2), next=UUID(int=9)), chained=False)
    assert "does not exist" in str(faults_of(plan)[0].reason)


def test_step_to_which_no_way_leads_is_told() -> None:
    plan = make_plan(message(1), task(2), chained=False)
    assert [(fault.step, str(fault.reason)) for fault in faults_of(plan)] == [
        (key(2), "No way leads to it.")
    ]


def test_many_branches_are_walked_in_no_time() -> None:
    """Two ways at each of sixty branches are more paths than anybody can walk."""
    steps: list[Step] = []
    for number in range(1, 180, 3):
        join = key(number + 3)
        ways = [replace(task(number + each), next=join) for each in (1, 2)]
        steps += [branch(number, number + 1, number + 2), *ways]
    assert faults_of(make_plan(*steps, message(181), chained=False)) == ()


def test_long_plan_is_no_trouble() -> None:
    assert faults_of(make_plan(*(task(number) for number in range(1, 3000)))) == ()


def test_enrolment_always_gets_the_same_variant() -> None:
    step = with_variants(1, 1, 1)
    enrolment = uuid4()
    assert len({variant_for(enrolment, step).label for _ in range(50)}) == 1


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (1, 0, 4)])
def test_variants_are_shared_out_by_weight(weights: tuple[int, ...]) -> None:
    step, number = with_variants(*weights), 20_000
    found = Counter(variant_for(UUID(int=each), step).label for each in range(number))
    for label, weight in zip("ABC", weights, strict=False):
        share = weight / sum(weights)
        # Four standard deviations.
        reach = 4 * (number * share * (1 - share)) ** 0.5
        assert abs(found[label] - number * share) <= reach


def test_variants_of_two_steps_are_drawn_apart() -> None:
    first, second = with_variants(1, 1), replace(with_variants(1, 1), key=key(2))
    pairs = Counter(
        (variant_for(UUID(int=each), first).label, variant_for(UUID(int=each), second).label)
        for each in range(4000)
    )
    assert len(pairs) == 4
    assert min(pairs.values()) > 850


def test_step_without_a_variant_to_send_is_refused() -> None:
    with pytest.raises(ValueError, match="no variant"):
        variant_for(uuid4(), with_variants(0, 0))


def test_plan_is_a_key_and_empty_ones_have_no_first_step() -> None:
    plan: Plan = make_plan(message(1), wait(2))
    assert len({plan, make_plan(message(1), wait(2))}) == 1
    assert make_plan().first is None
    with pytest.raises(KeyError):
        plan.step(key(9))
