"""Whether everything that was promised held; asked of the database, by other ways than it went."""

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from uuid import UUID
from zoneinfo import ZoneInfo

from holidays import country_holidays

from channels.models import Message
from channels.sequences.models import Enrolment, Execution
from events.models import Event
from leads.models import ContactPoint, Lead
from tests.sequences.engine.quarter.contacts import ABSENCE, Deed
from tests.sequences.engine.quarter.world import Team

WRITTEN = ("queued", "prepared")


# What a deed ends a sequence with; the last one is done by a colleague.
REASONS = {
    "reply": "replied",
    "write": "replied",
    "elsewhere": "inbound",
    "opt_out": "opted_out",
    "bounce": "bounced",
    "meet": "meeting",
    "win": "won",
    "lose": "lost",
    "colleague": "company_replied",
}
WORDS = ("reply", "write", "elsewhere")


@dataclass
class Leaving:
    """When somebody had to leave, and what they or their colleagues did then."""

    at: datetime
    deeds: set[str]


def audit(teams: Many[Team], deeds: Many[Deed], end: datetime) -> list[str]:
    """What was broken, in words; nothing, if all held."""
    left = _who_had_to_leave(teams, deeds)
    return [
        *_each_step_once(),
        *_nobody_is_stuck(end),
        *_all_was_done(),
        *_every_rule_was_needed(),
        *_nothing_after_the_end(left),
        *_nobody_left_but_for_a_reason(left),
        *_nothing_while_they_were_away(deeds),
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


def _who_had_to_leave(teams: Many[Team], deeds: Many[Deed]) -> dict[UUID, Leaving]:
    """By lead, by the first of what they did, and what their colleagues did."""
    found: dict[UUID, Leaving] = {}
    done = [deed for deed in deeds if deed.name in REASONS]
    spoken = [deed for deed in deeds if deed.name in WORDS]
    done += [
        Deed(lead, "colleague", word.at) for word, lead in _colleagues_who_leave(teams, spoken)
    ]
    for deed in sorted(done, key=lambda deed: deed.at):
        leaving = found.setdefault(deed.lead_id, Leaving(deed.at, set()))
        if leaving.at == deed.at:
            leaving.deeds.add(deed.name)
    return found


def _colleagues_who_leave(teams: Many[Team], spoken: Many[Deed]) -> Iterator[tuple[Deed, UUID]]:
    """What somebody wrote, and a colleague who was in a sequence that this ends."""
    rows = ContactPoint.unscoped.filter(kind="email").values_list("lead_id", "tenant_id", "value")
    firms = {lead: (tenant, value.partition("@")[2]) for lead, tenant, value in rows}
    inside = Enrolment.unscoped.filter(sequence__in=[team.sequences[1].pk for team in teams])
    for lead, enrolled_at in inside.values_list("lead_id", "enrolled_at"):
        for word in spoken:
            is_colleague = firms[word.lead_id] == firms[lead] and word.lead_id != lead
            if is_colleague and word.at >= enrolled_at:
                yield word, lead


def _every_rule_was_needed() -> Iterator[str]:
    """Each has ended a sequence for somebody, and somebody was waited for."""
    reasons = set(Enrolment.unscoped.values_list("reason", flat=True))
    yield from (f"nobody left because of {each}" for each in {*REASONS.values()} - reasons)
    if not Event.unscoped.filter(type="sequence.paused", payload__reason="away").exists():
        yield "nobody was away"


def _nothing_after_the_end(left: Mapping[UUID, Leaving]) -> Iterator[str]:
    """In the moment itself either may have been first."""
    done = Execution.unscoped.filter(enrolment__lead__in=[*left])
    sent = Message.unscoped.filter(lead__in=[*left], direction="outbound").exclude(sent_at=None)
    for lead, at in (
        *done.values_list("enrolment__lead_id", "executed_at"),
        *sent.values_list("lead_id", "sent_at"),
    ):
        assert at
        if at > left[lead].at:
            yield f"{lead} was written to at {at}, and had left at {left[lead]}"


def _nobody_left_but_for_a_reason(left: Mapping[UUID, Leaving]) -> Iterator[str]:
    """And who had one has left, if they had not come to the end before."""
    for row in Enrolment.unscoped.all():
        leaving = left.get(row.lead_id)
        reasons = {REASONS[deed] for deed in leaving.deeds} if leaving else set()
        is_before = not leaving or (row.finished_at and row.finished_at <= leaving.at)
        has_finished = row.reason == "finished" and is_before
        is_under_way = row.state != "finished" and not leaving
        if row.reason not in reasons and not has_finished and not is_under_way:
            yield f"{row.pk} is {row.state} because of {row.reason!r}, and not of {leaving}"


def _nothing_while_they_were_away(deeds: Many[Deed]) -> Iterator[str]:
    leads = {lead.pk: lead for lead in Lead.unscoped.select_related("tenant")}
    for lead_id, name, heard_at in deeds:
        if name != "away":
            continue
        lead = leads[lead_id]
        zone, returns = ZoneInfo(lead.time_zone or lead.tenant.time_zone), heard_at + ABSENCE
        written = Execution.unscoped.filter(
            enrolment__lead=lead, outcome__in=WRITTEN, executed_at__gt=heard_at
        )
        for at in written.values_list("executed_at", flat=True):
            if at.astimezone(zone).date() < returns.date():
                yield f"{lead} was written to at {at}, and is away from {heard_at} to {returns}"


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
