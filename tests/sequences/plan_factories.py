"""Plans, states and facts for tests; steps are numbered from 1 on, and so are their keys."""

from dataclasses import replace
from datetime import datetime
from itertools import zip_longest
from uuid import UUID

from channels.sequences.conditions import Condition, Did, Signal
from channels.sequences.decisions import Facts, Reach, State
from channels.sequences.plans import (
    BranchStep,
    LinkedInStep,
    MessageStep,
    Plan,
    Rules,
    Step,
    TaskStep,
    Variant,
    WaitStep,
)
from channels.sequences.working_time import Unit, Wait
from tests.sequences.weeks import BERLIN, OFFICE, local

ENROLMENT = UUID(int=1000)
MONDAY_NOON = local("2026-11-23 12:00", BERLIN)


def key(number: int) -> UUID:
    return UUID(int=number)


def message(
    number: int = 1, body: str = "Hello {{ first_name }}", **changes: object
) -> MessageStep:
    step = MessageStep(
        key=key(number), number=number, channel="email", variants=(Variant("A", body, "Hi"),)
    )
    return replace(step, **changes)  # type: ignore[arg-type]


def wait(number: int, amount: int = 1, unit: Unit = Unit.DAYS) -> WaitStep:
    return WaitStep(key=key(number), number=number, wait=Wait(amount, unit))


def task(number: int, title: str = "Call {{ first_name }}") -> TaskStep:
    return TaskStep(key=key(number), number=number, title=title, due=Wait(1))


def linkedin(number: int) -> LinkedInStep:
    return LinkedInStep(
        key=key(number), number=number, variants=(Variant("A", "Hi {{ first_name }}"),)
    )


def branch(
    number: int,
    then: int | None,
    otherwise: int | None,
    condition: Condition | None = None,
    within: Wait | None = None,
) -> BranchStep:
    return BranchStep(
        key=key(number),
        number=number,
        condition=condition or Did(Signal.CLICKED),
        then=key(then) if then else None,
        next=key(otherwise) if otherwise else None,
        within=within or Wait(0),
    )


def make_plan(*steps: Step, rules: Rules | None = None, chained: bool = True) -> Plan:
    """A plan; its steps follow each other, branches excepted, unless they are not `chained`."""
    following = [step.key for step in steps[1:]]
    linked = [
        replace(step, next=after) if chained and not isinstance(step, BranchStep) else step
        for step, after in zip_longest(steps, following)
    ]
    return Plan(
        id=UUID(int=7),
        sequence_id=UUID(int=8),
        number=3,
        name="Welcome",
        steps=tuple(linked),
        rules=rules or Rules(),
    )


def make_state(step: int | None = 1, since: datetime = MONDAY_NOON, **changes: object) -> State:
    state = State(ENROLMENT, key(step) if step else None, enrolled_at=since, since=since)
    return replace(state, **changes)  # type: ignore[arg-type]


def make_facts(**changes: object) -> Facts:
    """Somebody in Berlin who may be written to, and whose first name is known."""
    facts = Facts(
        calendar=OFFICE,
        zone=BERLIN,
        values={"first_name": "Ada"},
        reaches={
            "email": Reach("ada@example.com"),
            "whatsapp": Reach("+4930901820"),
            "linkedin": Reach("https://www.linkedin.com/in/ada"),
        },
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def reached(channel: str = "email", **changes: object) -> Facts:
    """The same, reached differently on one channel."""
    facts = make_facts()
    reach = replace(facts.reaches[channel], **changes)  # type: ignore[arg-type]
    return replace(facts, reaches={**facts.reaches, channel: reach})
