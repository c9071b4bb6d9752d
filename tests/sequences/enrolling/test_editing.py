"""Editing documents: steps come in, move through branches and go, and nothing else changes."""

from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.sequences.conditions import Operator
from channels.sequences.documents import BranchStep, Document, Says, Step, TaskStep, Way, walk
from channels.sequences.editing import (
    NoSuchStep,
    Place,
    copied,
    inserted,
    moved,
    moved_to,
    place_behind,
    place_of,
    places_in,
    removed,
    replaced,
    step_of,
)

KNOWN = Says(name="company", operator=Operator.KNOWN)


def task(title: str) -> TaskStep:
    return TaskStep(title=title)


def fork(then: list[Step], otherwise: list[Step]) -> BranchStep:
    return BranchStep(
        condition=KNOWN, then=Way(steps=tuple(then)), otherwise=Way(steps=tuple(otherwise))
    )


def outline(document: Document) -> str:
    """Such as "1 (2 3|4) 5": titles, and branches with their two ways."""

    def of(steps: tuple[Step, ...]) -> str:
        return " ".join(
            f"({of(step.then.steps)}|{of(step.otherwise.steps)})"
            if isinstance(step, BranchStep)
            else getattr(step, "title", step.kind)
            for step in steps
        )

    return of(document.steps)


ONE, TWO, THREE = task("1"), task("2"), task("3")


def test_step_comes_in_at_its_place() -> None:
    document = Document(steps=(ONE, TWO))
    assert outline(inserted(document, THREE, Place(0))) == "3 1 2"
    assert outline(inserted(document, THREE, Place(99))) == "1 2 3"
    assert outline(inserted(document, THREE, place_behind(document, ONE.key))) == "1 3 2"
    assert outline(document) == "1 2"


def test_step_comes_into_a_branch() -> None:
    branch = fork([ONE], [])
    document = Document(steps=(branch,))
    assert outline(inserted(document, TWO, Place(0, branch.key, "otherwise"))) == "(1|2)"
    assert outline(inserted(document, TWO, place_behind(document, ONE.key))) == "(1 2|)"


def test_step_goes_with_what_stands_in_it() -> None:
    branch = fork([ONE], [TWO])
    document = Document(steps=(branch, THREE))
    assert outline(removed(document, TWO.key)) == "(1|) 3"
    assert outline(removed(document, branch.key)) == "3"


def test_step_is_replaced_where_it_stands() -> None:
    document = Document(steps=(fork([ONE], [TWO]),))
    changed = ONE.model_copy(update={"title": "first"})
    assert outline(replaced(document, changed)) == "(first|2)"
    assert step_of(replaced(document, changed), ONE.key) == changed


def test_step_moves_through_branches_as_it_is_read() -> None:
    document = Document(steps=(ONE, fork([TWO], []), THREE))
    seen = [outline(document)]
    for _ in range(5):
        document = moved(document, ONE.key, 1)
        seen.append(outline(document))
    assert seen == ["1 (2|) 3", "(1 2|) 3", "(2 1|) 3", "(2|1) 3", "(2|) 1 3", "(2|) 3 1"]
    # At the end it stays.
    assert outline(moved(document, ONE.key, 1)) == "(2|) 3 1"


def test_step_moves_to_either_end_out_of_its_branch() -> None:
    document = Document(steps=(ONE, fork([TWO], []), THREE))
    assert outline(moved_to(document, TWO.key, "start")) == "2 1 (|) 3"
    assert outline(moved_to(document, TWO.key, "end")) == "1 (|) 3 2"
    assert outline(moved_to(document, ONE.key, "end")) == "(2|) 3 1"


def test_what_is_not_there_is_told() -> None:
    document = Document(steps=(ONE,))
    for edit in (step_of, removed, place_of, place_behind):
        with pytest.raises(NoSuchStep):
            edit(document, TWO.key)
    with pytest.raises(NoSuchStep):
        inserted(document, THREE, Place(0, TWO.key, "then"))
    with pytest.raises(NoSuchStep):
        replaced(document, TWO)


def test_branch_does_not_move_too_deep() -> None:
    deep: Step = ONE
    for _ in range(3):
        deep = fork([deep], [])
    mover = fork([TWO], [])
    document = Document(steps=(mover, deep))
    for _ in range(2):
        document = moved(document, mover.key, 1)
    with pytest.raises(ValueError, match="three deep"):
        moved(document, mover.key, 1)


def test_copy_says_the_same_under_other_keys() -> None:
    document = Document(steps=(ONE, fork([TWO], [THREE])))
    twin = copied(document)
    assert outline(twin) == outline(document)
    assert not {step.key for step in walk(twin.steps)} & {step.key for step in walk(document.steps)}


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Documents with branches, up to two deep."""

    def steps(depth: int) -> list[Step]:
        count = draw(st.integers(0, 3))
        return [
            fork(steps(depth - 1), steps(depth - 1))
            if depth and draw(st.booleans())
            else task(f"{draw(st.integers(0, 99))}")
            for _ in range(count)
        ]

    return Document(steps=(*steps(2), task("last")))


# Other tests may leave these little of the machine.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.data())
def test_moving_back_undoes_a_move(document: Document, data: st.DataObject) -> None:
    step = data.draw(st.sampled_from([*walk(document.steps)]))
    by: Literal[1, -1] = data.draw(st.sampled_from((1, -1)))
    try:
        after = moved(document, step.key, by)
    except ValueError:
        # Branches would stand too deep.
        return
    assert sorted(each.key for each in walk(after.steps)) == sorted(
        each.key for each in walk(document.steps)
    )
    back: Literal[1, -1] = 1 if by == -1 else -1
    is_at_the_end = after == document
    assert is_at_the_end or moved(after, step.key, back) == document


# Other tests may leave these little of the machine.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.data())
def test_every_place_can_be_filled(document: Document, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from([*places_in(document.steps)]))
    fresh = task("new")
    after = inserted(document, fresh, place)
    assert place_of(after, fresh.key) == place
    assert removed(after, fresh.key) == document
