"""What happens next to somebody in a sequence: the engine's whole judgement, without a database.

Pure: the same state, facts and time always give the same decision. One pointer says which step
comes next. Whether it may be executed is asked when it is, and never when it was due: hours,
consent, caps and answers may have changed meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from channels.sequences.conditions import holds
from channels.sequences.decisions import (
    AccountState,
    Action,
    AddTask,
    Answer,
    Block,
    Decision,
    Delay,
    Ending,
    Facts,
    Finish,
    Later,
    LeadState,
    Obstacle,
    Park,
    Pass,
    Pause,
    Prepare,
    Reach,
    Rest,
    Send,
    Standing,
    State,
    Turn,
)
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
    variant_for,
)
from channels.sequences.spreading import Place, Room, share_of
from channels.sequences.working_time import (
    ONE_DAY,
    NeverOpens,
    add,
    add_open_time,
    closing,
    first_opening,
    is_open,
    next_opening,
)
from channels.templating import fill

# After this it is looked again whether a stopped or deaf account works.
LOOK_AGAIN = timedelta(minutes=15)
# A place that was missed by more than this is drawn again: all that was missed while nobody worked
# would else go at once.
LATENESS = timedelta(minutes=15)
# Whoever is away and does not say until when, is for so long.
ABSENCE = timedelta(days=14)

ENDINGS = {
    LeadState.WON: Ending.WON,
    LeadState.LOST: Ending.LOST,
    LeadState.MERGED: Ending.MERGED,
    LeadState.DELETED: Ending.LEAD_DELETED,
}
REFUSALS = {Standing.OPTED_OUT: Ending.OPTED_OUT, Standing.BOUNCED: Ending.BOUNCED}
DELAYS = {
    AccountState.STOPPED: Delay.ACCOUNT_STOPPED,
    AccountState.DEAF: Delay.ACCOUNT_DEAF,
}


@dataclass(frozen=True)
class PlannedStep:
    """A step as it will be, if nothing comes between.

    Attributes:
        at: the earliest time, in UTC; caps may make it later.
        action: None where the calendar never opens.
        problems: what stands against it today.
        closed: the closed days since the step before, with the names of public holidays.
    """

    step: Step
    at: datetime
    zone: ZoneInfo
    action: Action | None
    problems: tuple[Decision, ...] = ()
    closed: Mapping[date, str] = field(default_factory=dict)


def decide(plan: Plan, state: State, facts: Facts, now: datetime) -> Decision:
    """What to do now with somebody whose next step is due.

    Raises:
        KeyError: the plan has no such step.
        Malformed: a text of it cannot be read; `plans.faults_of` finds both.
    """
    if reason := ending_of(plan.rules, state, facts):
        return Finish(reason)
    if facts.is_held:
        return Park()
    if state.step is None:
        return Finish(Ending.FINISHED)
    if state.step in state.executed:
        return Pass(state.executed[state.step])
    step = plan.step(state.step)
    try:
        if facts.away_until and facts.away_until > now:
            return Pause(next_opening(facts.away_until, facts.calendar, facts.zone))
        objections = _objections(step, state, facts, now)
        return next(objections, None) or _decide_open(step, state, facts, now)
    except NeverOpens:
        return Block(Obstacle.NEVER_OPENS)


def advance(state: State, decision: Action | Pass, at: datetime) -> State:
    """Where somebody is once a step is settled.

    Args:
        at: when the message went out, the task was done, or the step was executed.
    """
    if isinstance(decision, Pass):
        return replace(state, step=decision.next, place=None, left=None)
    after = decision.next if isinstance(decision, Turn) else decision.step.next
    return replace(
        state,
        step=after,
        since=decision.until if isinstance(decision, Rest) else at,
        executed={**state.executed, decision.step.key: after},
        place=None,
        left=None,
    )


def ending_of(rules: Rules, state: State, facts: Facts) -> Ending | None:
    """Why somebody leaves now, whatever the step; None: they stay."""
    if facts.lead in ENDINGS:
        return ENDINGS[facts.lead]
    reply, colleague = facts.answered, facts.company_answered
    happened = [
        (_ending_by(reply), reply.at if reply and rules.on_reply else None),
        (Ending.OPTED_OUT, facts.opted_out_at),
        (Ending.BOUNCED, facts.bounced_at),
        (Ending.MEETING, facts.met_at if rules.on_meeting else None),
        (Ending.COMPANY_REPLIED, colleague.at if colleague and rules.on_company_reply else None),
    ]
    return next((reason for reason, at in happened if at and at >= state.enrolled_at), None)


def return_from_absence(returns_on: date | None, heard_at: datetime, facts: Facts) -> datetime:
    """When somebody who is away is written to again: at the first opening of the day on which they
    return, or else of the day two weeks after they were heard of.

    Raises:
        NeverOpens: the calendar has no hours.
    """
    day = returns_on or (heard_at + ABSENCE).astimezone(facts.zone).date()
    return first_opening(day, facts.calendar, facts.zone)


def plan(
    version: Plan, facts: Facts, start: datetime, *, enrolment_id: UUID, language: str = "en"
) -> list[PlannedStep]:
    """What will happen to somebody who is enrolled at `start`, if messages go out and tasks are
    done at once and nothing else changes: by the very judgement that the engine uses.

    Args:
        facts: a step against which they speak is there with its problems, and what comes after it
            as if they were solved. Caps are not asked.
        enrolment_id: decides on the variants; before there is an enrolment, any id that stays the
            same, such as the lead's.
        language: of the names of public holidays.
    """
    state = State(enrolment_id, version.first, enrolled_at=start, since=start)
    return plan_on(version, state, facts, start, language=language)


def plan_on(
    version: Plan, state: State, facts: Facts, now: datetime, *, language: str = "en"
) -> list[PlannedStep]:
    """What is still to come for somebody who is under way; see `plan`.

    Args:
        state: a place that was drawn is kept.
    """
    free = _without_caps(facts)
    ending = ending_of(version.rules, state, facts)
    last = max(now, state.place or now)
    planned: list[PlannedStep] = []
    while state.step is not None:
        # Nothing happens before the wait is over that was entered last.
        found = _plan_step(version, state, free, max(last, state.since))
        closed = _closed_between(last, found.at, facts, language)
        planned.append(replace(found, closed=closed))
        if found.action is None:
            break
        state, last = advance(state, found.action, found.at), found.at
    if planned and ending:
        problems = (Finish(ending), *planned[0].problems)
        planned[0] = replace(planned[0], problems=problems)
    return planned


def _closed_hours(step: Step, state: State, facts: Facts, now: datetime) -> Decision | None:
    is_silent = isinstance(step, (WaitStep, BranchStep))
    if is_silent or is_open(now, facts.calendar, facts.zone):
        return None
    return Later(next_opening(now, facts.calendar, facts.zone), Delay.CLOSED)


def _refusal(step: Step, state: State, facts: Facts, now: datetime) -> Decision | None:
    standing = _reach_for(step, facts).standing
    return Finish(REFUSALS[standing]) if standing in REFUSALS else None


def _account_trouble(step: Step, state: State, facts: Facts, now: datetime) -> Decision | None:
    reach = _reach_for(step, facts)
    if reach.account is AccountState.READY or not isinstance(step, MessageStep):
        return None
    if reach.account is AccountState.GONE:
        return Block(Obstacle.NO_ACCOUNT, (step.channel,))
    again = next_opening(now + LOOK_AGAIN, facts.calendar, facts.zone)
    return Later(again, DELAYS[reach.account], reach.says)


def _unreachable(step: Step, state: State, facts: Facts, now: datetime) -> Decision | None:
    if not isinstance(step, (MessageStep, LinkedInStep)):
        return None
    reach = _reach_for(step, facts)
    if not reach.address:
        return Block(Obstacle.NO_ADDRESS, (step.channel,))
    if reach.standing is Standing.NO_BASIS:
        return Block(Obstacle.NO_BASIS, (step.channel,))
    return _template_trouble(reach, variant_for(state.enrolment_id, step))


def _template_trouble(reach: Reach, variant: Variant) -> Block | None:
    if variant.template and variant.template not in reach.templates:
        return Block(Obstacle.TEMPLATE, (variant.template.name,))
    if reach.needs_template and not variant.template:
        return Block(Obstacle.WINDOW, (variant.label,))
    return None


# Asked in this order; the first one that objects decides.
CHECKS: tuple[Callable[[Step, State, Facts, datetime], Decision | None], ...] = (
    _closed_hours,
    _refusal,
    _account_trouble,
    _unreachable,
)


def _objections(step: Step, state: State, facts: Facts, now: datetime) -> Iterator[Decision]:
    for check in CHECKS:
        if objection := check(step, state, facts, now):
            yield objection


def _decide_open(step: Step, state: State, facts: Facts, now: datetime) -> Decision:
    """When nothing objects but, perhaps, the text or the caps."""
    action = _act(step, state, facts, now)
    if block := _incomplete(action):
        return block
    return _place(action, state, facts, now) if isinstance(action, Send) else action


def _incomplete(action: Action | Later) -> Block | None:
    match action:
        case Send():
            texts = [action.subject, action.body]
        case Prepare():
            texts = [action.body]
        case AddTask():
            texts = [action.title, action.body]
        case _:
            return None
    missing = dict.fromkeys(name for text in texts for name in text.missing)
    return Block(Obstacle.MISSING, tuple(missing)) if missing else None


def _act(step: Step, state: State, facts: Facts, now: datetime) -> Action | Later:
    calendar, zone, values = facts.calendar, facts.zone, facts.values
    match step:
        case MessageStep():
            variant = variant_for(state.enrolment_id, step)
            subject, body = fill(variant.subject, values), fill(variant.body, values)
            return Send(step, variant, subject, body, not_after=closing(now, calendar, zone))
        case LinkedInStep():
            variant = variant_for(state.enrolment_id, step)
            return Prepare(step, variant, fill(variant.body, values))
        case TaskStep():
            due = add(now, step.due, calendar, zone)
            return AddTask(step, fill(step.title, values), fill(step.body, values), due)
        case WaitStep():
            return Rest(step, add(state.since, step.wait, calendar, zone))
        case BranchStep():
            return _turn(step, state, facts, now)


def _place(send: Send, state: State, facts: Facts, now: datetime) -> Send | Later:
    """Now, or later if the caps say so."""
    room, given = _reach_for(send.step, facts).room, state.place
    if room is None:
        return replace(send, gives_back=given)
    if given and room.keeps(given) and _is_kept(given, room, now):
        # It was counted when it was given.
        return send if given <= now else Later(given, Delay.CAP)
    room = room.returned(given, facts.calendar, facts.zone) if given else room
    # Not the number that chose the variant: one of them would always be early.
    share = share_of(state.enrolment_id, send.step.key, "place")
    drawn = room.draw(now, facts.calendar, facts.zone, share)
    place = drawn if isinstance(drawn, Place) else None
    if drawn.at > now:
        return Later(drawn.at, Delay.CAP, place=place, gives_back=given)
    return replace(send, place=place, gives_back=given)


def _is_kept(given: datetime, room: Room, now: datetime) -> bool:
    """Whether a place is still to come, or was missed by little, and on the day that it counts
    for."""
    is_late = now - given > LATENESS or room.day_of(given) != room.day_of(now)
    return given > now or not is_late


def _turn(step: BranchStep, state: State, facts: Facts, now: datetime) -> Turn | Later:
    if holds(step.condition, {**facts.values, **facts.fields}, facts.signals):
        return Turn(step, holds=True, next=step.then)
    if step.within.amount:
        deadline = _deadline(step, state, facts)
        if deadline > now:
            return Later(deadline, Delay.CONDITION)
    return Turn(step, holds=False, next=step.next)


def _deadline(step: BranchStep, state: State, facts: Facts) -> datetime:
    if state.left is not None:
        return add_open_time(state.since, state.left, facts.calendar, facts.zone)
    return add(state.since, step.within, facts.calendar, facts.zone)


def _reach_for(step: Step, facts: Facts) -> Reach:
    if isinstance(step, (MessageStep, LinkedInStep)):
        return facts.reaches.get(step.channel, Reach())
    return Reach()


def _ending_by(answer: Answer | None) -> Ending:
    return Ending.REPLIED if answer and answer.is_reply else Ending.INBOUND


def _without_caps(facts: Facts) -> Facts:
    """The same without caps, and without what would end it: it is told apart."""
    return replace(
        facts,
        reaches={channel: replace(reach, room=None) for channel, reach in facts.reaches.items()},
        lead=LeadState.OPEN,
        is_held=False,
        answered=None,
        company_answered=None,
        met_at=None,
        opted_out_at=None,
        bounced_at=None,
    )


def _plan_step(version: Plan, state: State, facts: Facts, now: datetime) -> PlannedStep:
    """The next step when its time has come, with all that stands against it."""
    assert state.step
    step = version.step(state.step)
    while True:
        match decide(version, state, facts, now):
            case Later(at=at, why=Delay.CLOSED | Delay.CONDITION):
                now = at
            case Pause(until=until):
                now = until
            case Block(why=Obstacle.NEVER_OPENS) as never:
                return PlannedStep(step, now, facts.zone, None, (never,))
            case _:
                break
    action = _act(step, state, facts, now)
    assert not isinstance(action, Later)
    problems = [*_objections(step, state, facts, now)]
    if block := _incomplete(action):
        problems.append(block)
    return PlannedStep(step, now, facts.zone, action, tuple(problems))


def _closed_between(start: datetime, end: datetime, facts: Facts, language: str) -> dict[date, str]:
    first, last = (moment.astimezone(facts.zone).date() for moment in (start, end))
    days = (first + number * ONE_DAY for number in range((last - first).days))
    return {
        day: facts.calendar.holiday_on(day, language)
        for day in days
        if facts.calendar.is_closed(day)
    }
