"""Changing what a document consists of: steps are put in, replaced, moved and taken out.

Pure: a document is never changed, another one takes its place. `versions.edit_draft` keeps it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from channels.sequences.documents import BranchStep, Document, Step, Way, walk
from salesflow.accounts.ids import uuid7

WayName = Literal["then", "otherwise"]
WAYS: tuple[WayName, ...] = ("then", "otherwise")
Steps = tuple[Step, ...]


class NoSuchStep(LookupError):
    """The document has no step with this key: somebody else has taken it out."""


@dataclass(frozen=True)
class Place:
    """Where a step stands, or is to stand.

    Attributes:
        index: in its list.
        branch: the key of the branch in whose list; None: in the document's own.
        way: which of the branch's two lists.
    """

    index: int
    branch: UUID | None = None
    way: WayName | None = None


def step_of(document: Document, key: UUID) -> Step:
    """The step with this key.

    Raises:
        NoSuchStep: there is none.
    """
    for step in walk(document.steps):
        if step.key == key:
            return step
    raise NoSuchStep(key)


def inserted(document: Document, step: Step, place: Place) -> Document:
    """The document with one more step; a place past the end of its list is the end.

    Raises:
        NoSuchStep: there is no such branch.
        ValueError: branches would stand too deep, or there would be too many steps.
    """

    def put(steps: Steps) -> Steps:
        return (*steps[: place.index], step, *steps[place.index :])

    return _with(document, _edit_list(document.steps, place, put))


def replaced(document: Document, step: Step) -> Document:
    """The document with another step in the place of the one that has its key.

    Raises:
        NoSuchStep: there is none.
    """
    place = place_of(document, step.key)

    def put(steps: Steps) -> Steps:
        return (*steps[: place.index], step, *steps[place.index + 1 :])

    return _with(document, _edit_list(document.steps, place, put))


def removed(document: Document, key: UUID) -> Document:
    """The document without a step; what stands in a branch goes with it.

    Raises:
        NoSuchStep: there is none.
    """
    place = place_of(document, key)

    def drop(steps: Steps) -> Steps:
        return (*steps[: place.index], *steps[place.index + 1 :])

    return _with(document, _edit_list(document.steps, place, drop))


def moved(document: Document, key: UUID, by: Literal[1, -1]) -> Document:
    """The document with a step one place further down or up, into branches and out of them.

    Raises:
        NoSuchStep: there is none.
        ValueError: branches would stand too deep.
    """
    step, place = step_of(document, key), place_of(document, key)
    rest = removed(document, key)
    there_are = [*places_in(rest.steps)]
    index = there_are.index(place) + by
    return inserted(rest, step, there_are[max(0, min(index, len(there_are) - 1))])


def moved_to(document: Document, key: UUID, end: Literal["start", "end"]) -> Document:
    """The document with a step before or behind all others, out of any branch.

    Raises:
        NoSuchStep: there is none.
    """
    step, rest = step_of(document, key), removed(document, key)
    return inserted(rest, step, Place(0 if end == "start" else len(rest.steps)))


def place_of(document: Document, key: UUID) -> Place:
    """Where the step with this key stands.

    Raises:
        NoSuchStep: there is none.
    """
    for place, step in _placed(document.steps):
        if step.key == key:
            return place
    raise NoSuchStep(key)


def place_behind(document: Document, key: UUID) -> Place:
    """The place behind a step, in its list.

    Raises:
        NoSuchStep: there is none.
    """
    place = place_of(document, key)
    return Place(place.index + 1, place.branch, place.way)


def places_in(
    steps: Sequence[Step], branch: UUID | None = None, way: WayName | None = None
) -> Iterator[Place]:
    """All places at which a step could be put in, from top to bottom."""
    for index, step in enumerate(steps):
        yield Place(index, branch, way)
        if isinstance(step, BranchStep):
            for name in WAYS:
                yield from places_in(getattr(step, name).steps, step.key, name)
    yield Place(len(steps), branch, way)


def copied(document: Document) -> Document:
    """The same with keys of its own: another sequence's numbers are not this one's."""
    keys = {step.key: uuid7() for step in walk(document.steps)}
    text = document.model_dump_json()
    for old, new in keys.items():
        text = text.replace(str(old), str(new))
    return Document.model_validate_json(text)


def _placed(
    steps: Sequence[Step], branch: UUID | None = None, way: WayName | None = None
) -> Iterator[tuple[Place, Step]]:
    for index, step in enumerate(steps):
        yield Place(index, branch, way), step
        if isinstance(step, BranchStep):
            for name in WAYS:
                yield from _placed(getattr(step, name).steps, step.key, name)


def _edit_list(steps: Steps, place: Place, change: Callable[[Steps], Steps]) -> Steps:
    """The steps with one list among them changed.

    Raises:
        NoSuchStep: there is no such list.
    """
    if place.branch is None:
        return change(steps)
    found = False

    def edit(step: Step) -> Step:
        nonlocal found
        if not isinstance(step, BranchStep):
            return step
        ways: dict[str, Way] = {name: getattr(step, name) for name in WAYS}
        for name, way in ways.items():
            is_meant = (step.key, name) == (place.branch, place.way)
            found = found or is_meant
            inside = change(way.steps) if is_meant else tuple(map(edit, way.steps))
            ways[name] = way.model_copy(update={"steps": inside})
        return step.model_copy(update=ways)

    edited = tuple(map(edit, steps))
    if not found:
        raise NoSuchStep(place.branch)
    return edited


def _with(document: Document, steps: Steps) -> Document:
    # Checked as a whole: how deep it is, and how long.
    return Document.model_validate({**dict(document), "steps": steps})
