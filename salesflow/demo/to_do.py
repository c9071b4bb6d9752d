"""What the team has to do these days: newcomers find a list that is worth working off."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import cycle
from typing import NamedTuple

from events.context import event_context
from leads.models import Lead, Outcome, Task
from leads.services import TaskDraft, add_tasks, book_meeting, complete_task, skip_task
from salesflow.accounts.models import User

SOURCE = "demo"
FRIDAY, SATURDAY = 4, 5


class Entry(NamedTuple):
    """Something to do.

    Attributes:
        day: how many days after today; None: some time.
    """

    title: str
    kind: str
    day: int | None = None
    hour: int = 9
    body: str = ""


ENTRIES = [
    Entry("Ask whether the proposal has come", Task.Kind.CALL, -2, 10),
    Entry("Send the yield forecast", Task.Kind.EMAIL, -1, 16, "They want it by month."),
    Entry("Talk about the date of the survey", Task.Kind.CALL, 0, 11),
    Entry("Check the photos of the roof", Task.Kind.TODO, 0, 17, "The chimney may shade it."),
    Entry("Invite them to connect", Task.Kind.LINKEDIN, 1, 9),
    Entry("Ask the grid operator for the connection", Task.Kind.TODO, 3, 14),
    Entry("Offer a battery, too", Task.Kind.EMAIL, 12, 9),
    Entry("Find out who else decides", Task.Kind.TODO),
]
# These were settled today.
DONE = Entry("Call back about the leasing", Task.Kind.CALL, 0, 9)
SKIPPED = Entry("Send the brochure", Task.Kind.EMAIL, 0, 9)
SURVEY = "Survey of the roof"
UNCLAIMED = Entry("Find a partner who mounts carports", Task.Kind.TODO, 2, 12)


def load_to_do(team: Sequence[User], now: datetime) -> None:
    """Give each of the team something to do about their leads, and one of them a meeting.

    Args:
        team: the first of them has most to do.
        now: in the time zone of the current tenant.
    """
    first, *others = team
    with event_context(source=SOURCE, actor_id=first.pk):
        own = _leads_of(first)
        add_tasks([_draft(entry, next(own), first, now) for entry in ENTRIES])
        add_tasks([_draft(UNCLAIMED, next(own), None, now)])
        done, skipped = (_add(_draft(each, next(own), first, now)) for each in (DONE, SKIPPED))
        complete_task(done, first)
        skip_task(skipped, first, "They have it already.")
        starts_at = _at(now, day=2, hour=10)
        book_meeting(next(own), starts_at=starts_at, title=SURVEY, booked_by=first)
    for place, colleague in enumerate(others):
        with event_context(source=SOURCE, actor_id=colleague.pk):
            leads = _leads_of(colleague)
            entries = ENTRIES[place % 3 :: 3]
            add_tasks([_draft(entry, next(leads), colleague, now) for entry in entries])


def _leads_of(user: User) -> Iterator[Lead]:
    """The most valuable open ones; from the first on again where there is more to do than leads."""
    rows = Lead.objects.filter(owner=user, outcome=Outcome.OPEN)
    return cycle(rows.order_by("-value", "id")[: len(ENTRIES)])


def _draft(entry: Entry, lead: Lead, assignee: User | None, now: datetime) -> TaskDraft:
    due_at = None if entry.day is None else _at(now, day=entry.day, hour=entry.hour)
    return TaskDraft(lead, entry.title, entry.body, entry.kind, due_at, assignee)


def _add(draft: TaskDraft) -> Task:
    [task] = add_tasks([draft])
    assert isinstance(task, Task)
    return task


def _at(now: datetime, *, day: int, hour: int) -> datetime:
    """That hour of a day; of the Friday before or the Monday after where it would be a weekend."""
    at = (now + timedelta(days=day)).replace(hour=hour, minute=0, second=0, microsecond=0)
    if day == 0 or at.weekday() < SATURDAY:
        return at
    return at + timedelta(days=FRIDAY - at.weekday() if day < 0 else 7 - at.weekday())
