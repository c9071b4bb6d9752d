"""Whether everything that was promised held; asked of the database, by other ways than it went."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cache
from uuid import UUID
from zoneinfo import ZoneInfo

from holidays import country_holidays

from channels.models import Message
from channels.sequences.models import Enrolment, Execution
from leads.models import Lead
from tests.sequences.engine.quarter.world import Team

WRITTEN = ("queued", "prepared")


def audit(teams: Iterable[Team], ended: Mapping[UUID, datetime], end: datetime) -> list[str]:
    """What was broken, in words; nothing, if all held."""
    return [
        *_each_step_once(),
        *_nobody_is_stuck(end),
        *_all_was_done(),
        *_nothing_after_the_end(ended),
        *_nothing_at_night(),
        *(broken for team in teams for broken in _caps(team)),
    ]


def counts() -> dict[str, int]:
    """What was done, for people."""
    return {
        "enrolments": Enrolment.unscoped.count(),
        "steps": Execution.unscoped.count(),
        "messages sent": Message.unscoped.exclude(sent_at=None).count(),
        "messages withdrawn": Message.unscoped.filter(status="withdrawn").count(),
        "written anew": Execution.unscoped.filter(renewed__gt=0).count(),
    }


def _each_step_once() -> Iterator[str]:
    done = Counter(Execution.unscoped.values_list("enrolment_id", "step"))
    yield from (f"step {key} was executed {n} times" for key, n in done.items() if n > 1)
    outbound = Message.unscoped.filter(direction="outbound")
    texts = Counter(outbound.exclude(sent_at=None).values_list("lead_id", "body"))
    yield from (f"{key} was sent {n} times" for key, n in texts.items() if n > 1)
    tried = outbound.filter(attempts__gt=1).values_list("pk", flat=True)
    yield from (f"message {pk} was handed over more than once" for pk in tried)
    owned = set(Execution.unscoped.exclude(message=None).values_list("message_id", flat=True))
    sent = outbound.exclude(sent_at=None).values_list("pk", flat=True)
    yield from (f"message {pk} belongs to no step" for pk in sent if pk not in owned)


def _nobody_is_stuck(end: datetime) -> Iterator[str]:
    for row in Enrolment.unscoped.exclude(state="finished"):
        due = row.next_step_at or row.resume_at
        if due is None or due <= end:
            yield f"{row.pk} is {row.state}, waits for {row.waiting_for!r}, due {row.next_step_at}"


def _all_was_done() -> Iterator[str]:
    """Whoever came to the end has got every step of one way through the plan, and no other."""
    ways: dict[UUID, dict[UUID, Execution]] = {}
    for execution in Execution.unscoped.filter(enrolment__reason="finished"):
        ways.setdefault(execution.enrolment_id, {})[execution.step] = execution
    for enrolment, steps in ways.items():
        followed = {each.next for each in steps.values()}
        firsts = [each for each in steps.values() if each.step not in followed]
        way = firsts[:1]
        while way and way[-1].next in steps:
            before, after = way[-1], steps[way[-1].next]
            if after.executed_at < before.executed_at:
                yield f"{enrolment}: step {after.number} came before {before.number}"
            way.append(after)
        if len(way) != len(steps):
            yield f"{enrolment}: {len(steps) - len(way)} steps are not on its way"
        elif way[-1].next is not None:
            yield f"{enrolment} finished before its last step"


def _nothing_after_the_end(ended: Mapping[UUID, datetime]) -> Iterator[str]:
    """In the moment itself either may have been first."""
    rows = Execution.unscoped.filter(outcome__in=WRITTEN, enrolment__lead__in=[*ended])
    for lead, at in rows.values_list("enrolment__lead_id", "executed_at"):
        if at > ended[lead]:
            yield f"{lead} was written to at {at}, and had left at {ended[lead]}"


def _nothing_at_night() -> Iterator[str]:
    leads = {lead.pk: lead for lead in Lead.unscoped.all()}
    rows = Message.unscoped.filter(direction="outbound").exclude(sent_at=None)
    for pk, tenant_zone, sent_at in rows.values_list("lead_id", "tenant__time_zone", "sent_at"):
        lead = leads[pk]
        assert sent_at
        local = sent_at.astimezone(ZoneInfo(lead.time_zone or tenant_zone))
        is_open = local.weekday() < 5 and 9 <= local.hour < 17
        if not is_open or _is_closed(local.date(), lead.country):
            yield f"{lead} was written to at {local}"


@cache
def _is_closed(day: date, country: str) -> bool:
    public = country_holidays(country, years=day.year) if country else {}
    return day in public or (day.month, day.day) == (11, 11)


def _caps(team: Team) -> Iterator[str]:
    zone = ZoneInfo(team.tenant.time_zone)
    rows = Execution.unscoped.filter(tenant=team.tenant, outcome__in=WRITTEN)
    days = Counter(at.astimezone(zone).date() for at in rows.values_list("executed_at", flat=True))
    yield from (f"{team.tenant}: {n} on {day}" for day, n in days.items() if n > team.cap)
