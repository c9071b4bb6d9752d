"""Tasks and meetings: added once, settled once, told of."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.models import Event
from leads import services
from leads.models import Lead, Meeting, Task
from leads.queries import TASK_ORDER, open_tasks, tasks_of
from leads.services import TaskDraft
from leads.timeline import timeline_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant, make_user
from tests.leads.factories import make_lead

AT = datetime(2026, 12, 1, 10, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("tenant")


def make_task(lead: Lead | None = None, **fields: Any) -> Task:
    """An open task about `lead`, or a new one."""
    return services.add_task(lead or make_lead(), **{"title": "Call them", **fields})


def told(event_type: str) -> dict[str, Any]:
    """What the only event of that type says."""
    payload: dict[str, Any] = Event.objects.get(type=event_type).payload
    return payload


# --- Adding -------------------------------------------------------------------------------------


def test_task_is_kept_and_published(tenant: Tenant) -> None:
    ada = make_user(tenant, name="Ada")
    task = make_task(title=" Call ", body=" About engines ", kind="call", due_at=AT, assignee=ada)
    kept = Task.objects.get()
    assert kept == task
    assert (kept.title, kept.body, kept.kind, kept.due_at) == ("Call", "About engines", "call", AT)
    event = Event.objects.get(type="task.created")
    assert (event.subject_id, event.payload["task_id"]) == (task.lead_id, str(task.pk))
    assert (event.payload["title"], event.payload["assignee"]) == ("Call", "Ada")


def test_task_that_is_asked_for_twice_is_there_once() -> None:
    lead = make_lead()
    first = make_task(lead, source="sequence", source_id="step-1")
    second = make_task(lead, title="Something else", source="sequence", source_id="step-1")
    other = make_task(lead, source="sequence", source_id="step-2")
    assert first == second != other
    assert Task.objects.count() == Event.objects.filter(type="task.created").count() == 2
    assert make_task(lead) != make_task(lead)


def test_two_leads_at_one_step_get_a_task_each() -> None:
    ada, bob = make_lead(), make_lead()
    first = make_task(ada, source="sequence", source_id="step-1")
    second = make_task(bob, source="sequence", source_id="step-1")
    assert (first.lead, second.lead) == (ada, bob)
    drafts = [TaskDraft(lead, "Call", source="sequence", source_id="2") for lead in (ada, bob)]
    made = services.add_tasks([*drafts, *drafts])
    assert made[:2] == made[2:] == list(Task.objects.filter(source_id="2").order_by("pk"))
    assert [each.lead for each in made if isinstance(each, Task)] == [ada, bob, ada, bob]


def test_many_tasks_take_as_many_statements_as_one(tenant: Tenant) -> None:
    ada = make_user(tenant)
    drafts = [
        TaskDraft(make_lead(), "Call", assignee=ada, source="sequence", source_id=str(number))
        for number in range(20)
    ]

    def statements(some: list[TaskDraft]) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert all(isinstance(each, Task) for each in services.add_tasks(some))
        return len(seen)

    one = statements(drafts[:1])
    assert statements(drafts[1:]) <= one <= 8
    assert services.add_tasks(drafts) == list(Task.objects.order_by("id"))
    assert Task.objects.count() == 20


def test_what_is_asked_for_twice_at_once_is_made_once() -> None:
    draft = TaskDraft(make_lead(), "Call", source="sequence", source_id="1")
    first, second = services.add_tasks([draft, draft])
    assert first == second == Task.objects.get()


def test_one_that_is_wrong_leaves_the_others_alone() -> None:
    lead, gone = make_lead(), make_lead()
    services.delete_lead(gone)
    bad, good, lost = services.add_tasks(
        [TaskDraft(lead, " "), TaskDraft(lead, "Call"), TaskDraft(gone, "Call")]
    )
    assert isinstance(bad, ValidationError)
    assert isinstance(lost, ValidationError)
    assert (list(bad.message_dict), list(lost.message_dict)) == (["title"], ["lead"])
    assert [good] == list(Task.objects.all())


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("title", {"title": " "}),
        ("title", {"title": "x" * 201}),
        ("title", {"title": "null \x00"}),
        ("body", {"body": "x" * 10_001}),
        ("kind", {"kind": "pray"}),
        # No page of a team in Berlin, or in Honolulu, could show these.
        ("due_at", {"due_at": datetime(9999, 12, 31, 23, 59, tzinfo=UTC)}),
        ("due_at", {"due_at": datetime(1, 1, 1, tzinfo=UTC)}),
    ],
)
def test_bad_input_names_its_field_and_writes_nothing(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refusal:
        make_task(**given)
    assert list(refusal.value.message_dict) == [field]
    assert not Task.objects.exists()


def test_stranger_gets_no_task(tenant: Tenant) -> None:
    with tenant_context(make_tenant()) as other:
        stranger = make_user(other)
    with pytest.raises(ValidationError) as refusal:
        make_task(assignee=stranger)
    assert list(refusal.value.message_dict) == ["assignee"]


def test_lead_of_another_tenant_is_not_found() -> None:
    with tenant_context(make_tenant()):
        lead = make_lead()
    for add in (
        lambda: services.add_task(lead, title="Call"),
        lambda: services.book_meeting(lead, title="Demo", starts_at=AT),
    ):
        with pytest.raises(Lead.DoesNotExist):
            add()


# --- Settling -----------------------------------------------------------------------------------


def test_task_is_done_once(tenant: Tenant) -> None:
    ada, task = make_user(tenant), make_task(source="sequence", source_id="1")
    done = services.complete_task(task, ada)
    assert (done.state, done.settled_by) == (Task.State.DONE, ada)
    assert done.settled_at
    payload = told("task.completed")
    assert (payload["task_id"], payload["source"], payload["source_id"]) == (
        str(task.pk),
        "sequence",
        "1",
    )
    for settle in (services.complete_task, services.skip_task):
        with pytest.raises(ValidationError, match="before"):
            settle(task, ada)
    assert not Event.objects.filter(type="task.skipped").exists()


def test_task_is_skipped_for_a_reason() -> None:
    task = make_task()
    with pytest.raises(ValidationError) as refusal:
        services.skip_task(task, None, "x" * 501)
    assert list(refusal.value.message_dict) == ["reason"]
    services.skip_task(task, None, " They moved ")
    assert told("task.skipped")["reason"] == "They moved"


def test_task_goes_to_somebody_else(tenant: Tenant) -> None:
    ada = make_user(tenant, name="Ada")
    task = make_task()
    assert services.assign_task(task, ada).assignee == ada
    services.assign_task(task, ada)
    assert told("task.assigned")["assignee"] == "Ada"
    with pytest.raises(ValidationError) as refusal:
        services.assign_task(task, make_user())
    assert list(refusal.value.message_dict) == ["assignee"]


def test_another_tenants_task_is_not_found() -> None:
    with tenant_context(make_tenant()):
        task = make_task()
    for change in (services.complete_task, services.skip_task, services.assign_task):
        with pytest.raises(Task.DoesNotExist):
            change(task, None)


def test_deleted_lead_takes_its_tasks_and_meetings_along() -> None:
    task = make_task()
    services.book_meeting(task.lead, title="Demo", starts_at=AT)
    services.delete_lead(task.lead)
    assert not Task.objects.exists()
    assert not Meeting.objects.exists()


# --- Listing ------------------------------------------------------------------------------------


def test_what_is_due_first_stands_first_and_what_has_no_time_last(tenant: Tenant) -> None:
    ada, lead = make_user(tenant), make_lead()
    some_time = make_task(lead, assignee=ada)
    later = make_task(lead, due_at=AT.replace(hour=12), assignee=ada)
    first = make_task(lead, due_at=AT)
    services.complete_task(make_task(lead, due_at=AT), None)
    assert tasks_of(lead) == [first, later, some_time]
    assert list(open_tasks(ada)) == [later, some_time]
    assert list(open_tasks(None)) == [first]
    assert list(open_tasks("anybody")) == [first, later, some_time]


INDEXES = {"mine": "task_to_do", "nobody": "task_of_nobody", "all": "task_of_team"}


@pytest.mark.parametrize("whose", INDEXES)
def test_page_of_what_is_to_do_is_read_off_its_index(tenant: Tenant, whose: str) -> None:
    ada, task = make_user(tenant), make_task(due_at=AT)
    rows = open_tasks({"mine": ada, "nobody": None}.get(whose, "anybody"))
    key = TASK_ORDER.key_of(open_tasks("anybody").get(pk=task.pk))
    page = TASK_ORDER.apply(TASK_ORDER.beyond(rows, key)).select_related(None)[:50]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        # Of a single row any index is as good.
        others = ", ".join(INDEXES[other] for other in INDEXES.keys() - {whose})
        cursor.execute(f"DROP INDEX {others}")
    plan = page.explain()
    assert INDEXES[whose] in plan
    assert "Sort" not in plan
    # The key is where the index begins to be read, not what its rows are compared with.
    [condition] = [line for line in plan.splitlines() if "Index Cond" in line]
    assert "COALESCE" in condition


# --- Meetings -----------------------------------------------------------------------------------


def test_meeting_is_kept_and_published(tenant: Tenant) -> None:
    ada = make_user(tenant)
    meeting = services.book_meeting(make_lead(), title=" Demo ", starts_at=AT, booked_by=ada)
    assert (meeting.title, meeting.starts_at) == ("Demo", AT)
    payload = told("meeting.booked")
    assert (payload["meeting_id"], payload["booked_by_id"]) == (str(meeting.pk), ada.pk)
    assert datetime.fromisoformat(payload["starts_at"]) == AT


def test_meeting_that_is_told_once_more_is_moved() -> None:
    lead = make_lead()
    calendar: dict[str, Any] = {"source": "calendar", "external_id": "uid-1"}
    first = services.book_meeting(lead, title="Demo", starts_at=AT, **calendar)
    later = AT.replace(day=2)
    second = services.book_meeting(lead, title="Long demo", starts_at=later, **calendar)
    assert first == second == Meeting.objects.get()
    assert (second.title, second.starts_at) == ("Long demo", later)
    assert told("meeting.booked")["title"] == "Demo"
    assert services.book_meeting(make_lead(), title="Demo", starts_at=AT, **calendar) != first


@pytest.mark.parametrize("title", ["", "x" * 201, "null \x00"])
def test_meeting_needs_a_title(title: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        services.book_meeting(make_lead(), title=title, starts_at=AT)
    assert list(refusal.value.message_dict) == ["title"]


def test_meeting_is_at_a_time_that_pages_can_show() -> None:
    with pytest.raises(ValidationError) as refusal:
        services.book_meeting(make_lead(), title="Demo", starts_at=AT.replace(year=9999))
    assert list(refusal.value.message_dict) == ["starts_at"]
    assert not Meeting.objects.exists()


# --- In words -----------------------------------------------------------------------------------


def test_timeline_tells_of_tasks_and_meetings(tenant: Tenant) -> None:
    lead, ada = make_lead(), make_user(tenant, name="Ada <3")
    task = make_task(lead, assignee=ada)
    services.assign_task(task, None)
    services.skip_task(task, ada, "They moved")
    services.complete_task(make_task(lead), ada)
    services.book_meeting(lead, title="Demo", starts_at=AT)
    entries = timeline_of(lead).entries
    said = [(str(each.words.text), each.words.quote and each.words.quote.text) for each in entries]
    assert said[:-1] == [
        ("Meeting booked for <b>12/01/2026 10 a.m.</b>", "Demo"),
        ("Task done", "Call them"),
        ("Task added", "Call them"),
        ("Task skipped", "They moved"),
        ("Task given to whoever takes it", "Call them"),
        ("Task added · <b>Ada &lt;3</b>", "Call them"),
    ]
