"""The page of tasks, and the dialogs that add and settle them: with htmx and without."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from leads import services
from leads.models import Lead, Meeting, Task
from leads.views.tasks import PAGE_SIZE
from salesflow.accounts.models import Tenant, User
from tests.factories import make_user
from tests.leads.factories import make_lead
from tests.web import HTMX, page_of


def url(name: str, *ids: Any) -> str:
    """The address of a page about a lead, or a task of theirs."""
    return reverse(f"leads:{name}", args=ids)


def make_task(assignee: User | None = None, **fields: Any) -> Task:
    """An open task about a new lead."""
    return services.add_task(make_lead(), **{"title": "Call", "assignee": assignee, **fields})


def listed(browser: Client, whose: str = "") -> str:
    """The words of the page of tasks."""
    return page_of(browser.get(reverse("tasks:list"), {"whose": whose})).text


def titles_of(response: Any) -> list[str]:
    """What the list shows, in its order."""
    return [task.title for _label, tasks in response.context["groups"] for task in tasks]


def in_list(whose: str = "mine") -> dict[str, str]:
    """What htmx says where a button of the list was pressed."""
    here = f"http://testserver{reverse('tasks:list')}?whose={whose}"
    return {**HTMX, "HX-Current-URL": here}


# --- The list -----------------------------------------------------------------------------------


def test_list_shows_mine_those_of_nobody_or_all(browser: Client, rep: User, tenant: Tenant) -> None:
    make_task(rep, title="Mine alone")
    make_task(title="Whoever wants")
    make_task(make_user(tenant), title="A colleague's")
    seen = {
        whose: [
            title
            for title in ("Mine alone", "Whoever wants", "A colleague's")
            if title in listed(browser, whose)
        ]
        for whose in ("", "nonsense", "nobody", "anybody")
    }
    assert seen == {
        "": ["Mine alone"],
        "nonsense": ["Mine alone"],
        "nobody": ["Whoever wants"],
        "anybody": ["Mine alone", "Whoever wants", "A colleague's"],
    }


def test_what_colleagues_had_to_do_who_have_left_waits_for_whoever_takes_it(
    browser: Client, rep: User, tenant: Tenant
) -> None:
    gone, removed = make_user(tenant, name="Charles Gone"), make_user(tenant, name="Removed Bob")
    for assignee in (gone, removed, rep, None):
        make_task(assignee, title=f"For {assignee}")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    removed.memberships.all().delete()
    response = browser.get(reverse("tasks:list"), {"whose": "nobody"})
    assert titles_of(response) == ["For Charles Gone", "For Removed Bob", "For None"]
    assert "· Charles Gone" in page_of(response).text
    assert titles_of(browser.get(reverse("tasks:list"))) == [f"For {rep}"]


def test_tasks_are_grouped_by_when_they_are_due(browser: Client, rep: User) -> None:
    now = timezone.localtime()
    tonight = now.replace(hour=23, minute=59, second=59, microsecond=999_999)
    due = {
        "Overdue": now - timedelta(hours=1),
        "Today": tonight,
        "Within a week": tonight + timedelta(days=7),
        "Later": tonight + timedelta(days=8),
        "Some time": None,
    }
    for name, at in reversed(due.items()):
        make_task(rep, title=f"Task for {name}", due_at=at)
    response = browser.get(reverse("tasks:list"))
    groups = [
        (str(label), [task.title for task in tasks]) for label, tasks in response.context["groups"]
    ]
    assert groups == [(name, [f"Task for {name}"]) for name in due]


def test_empty_list_says_what_to_do(browser: Client) -> None:
    assert "Nothing is to be done" in listed(browser)


def test_long_list_has_pages_and_is_worked_off_on_each(browser: Client, rep: User) -> None:
    lead, at = make_lead(), timezone.now()
    due = [at + timedelta(hours=number) for number in range(PAGE_SIZE)] + [None, None]
    drafts = [
        services.TaskDraft(lead, f"Number {number}", due_at=at, assignee=rep)
        for number, at in enumerate(due)
    ]
    tasks = services.add_tasks(drafts)
    first = browser.get(reverse("tasks:list"))
    assert first.context["previous_url"] is None
    assert titles_of(first) == [f"Number {number}" for number in range(PAGE_SIZE)]
    second = browser.get(first.context["next_url"])
    assert second.context["next_url"] is None
    assert titles_of(second) == [f"Number {PAGE_SIZE}", f"Number {PAGE_SIZE + 1}"]
    assert titles_of(browser.get(second.context["previous_url"])) == titles_of(first)
    here = {**HTMX, "HX-Current-URL": f"http://testserver{first.context['next_url']}"}
    for task, left in zip(tasks[-2:], (titles_of(second)[1:], titles_of(first)), strict=True):
        assert isinstance(task, Task)
        address = url("complete-task", lead.pk, task.pk)
        assert titles_of(browser.post(address, {"place": "0"}, headers=here)) == left


def test_key_of_no_page_shows_the_first_one(browser: Client, rep: User) -> None:
    make_task(rep, title="Call")
    response = browser.get(reverse("tasks:list"), {"after": "nonsense"})
    assert titles_of(response) == ["Call"]


def test_list_costs_the_same_however_long_it_is(
    browser: Client, rep: User, tenant: Tenant, django_assert_num_queries: Any
) -> None:
    make_task(rep)
    # Session, user, tenant; the tasks; the inbox's figure.
    with django_assert_num_queries(5):
        browser.get(reverse("tasks:list"))
    for _task in range(5):
        make_task(make_user(tenant))
    with django_assert_num_queries(5):
        browser.get(reverse("tasks:list"), {"whose": "anybody"})


# --- Adding -------------------------------------------------------------------------------------


def test_task_is_added_on_the_leads_page(browser: Client, rep: User) -> None:
    lead = make_lead()
    form = page_of(browser.get(url("add-task", lead.pk), headers=HTMX))
    assert "Add a task" in form.text
    given = {"title": "Call", "kind": "call", "due_at": "2027-01-02T10:30", "assignee": rep.pk}
    response = browser.post(url("add-task", lead.pk), given, headers=HTMX)
    task = Task.objects.get()
    assert (task.title, task.kind, task.assignee) == ("Call", "call", rep)
    assert task.due_at
    assert task.due_at.isoformat() == "2027-01-02T10:30:00+00:00"
    assert json.loads(response.headers["HX-Trigger"]) == {"dialog-close": {}, "lead-changed": {}}
    page = page_of(browser.get(url("detail", lead.pk)))
    assert "Done: Call" in page.text


def test_wrong_task_is_told_in_its_dialog(browser: Client) -> None:
    lead = make_lead()
    response = browser.post(url("add-task", lead.pk), {"title": "", "kind": "x"}, headers=HTMX)
    assert response.status_code == 422
    assert "This field is required." in page_of(response).text
    assert not Task.objects.exists()


def test_meeting_is_kept_on_the_leads_page(browser: Client, rep: User) -> None:
    lead = make_lead()
    browser.get(url("add-meeting", lead.pk))
    given = {"title": "Demo", "starts_at": "2027-01-02T10:30"}
    response = browser.post(url("add-meeting", lead.pk), given)
    assert response.headers["Location"] == url("detail", lead.pk)
    meeting = Meeting.objects.get()
    assert (meeting.title, meeting.booked_by) == ("Demo", rep)
    assert "Demo" in page_of(browser.get(url("detail", lead.pk))).text


# --- Settling -----------------------------------------------------------------------------------


def test_task_is_done_in_the_list_and_the_next_one_takes_the_focus(
    browser: Client, rep: User
) -> None:
    now = timezone.now()
    tasks = [make_task(rep, title=f"No {n}", due_at=now + timedelta(hours=n)) for n in range(3)]
    address = url("complete-task", tasks[1].lead_id, tasks[1].pk)
    response = browser.post(address, {"place": "1"}, headers=in_list())
    assert response.headers["HX-Retarget"] == "#task-list"
    page = page_of(response)
    assert "No 1" not in page.text
    [focused] = [link for link in page.all("a") if "data-focus" in link]
    assert focused["href"] == url("detail", tasks[2].lead_id)
    tasks[1].refresh_from_db()
    assert (tasks[1].state, tasks[1].settled_by) == (Task.State.DONE, rep)


@pytest.mark.parametrize("place", ["99", "-1", "x", "²", ""])
def test_nonsense_for_a_place_does_no_harm(browser: Client, rep: User, place: str) -> None:
    first, _second = make_task(rep), make_task(rep)
    address = url("complete-task", first.lead_id, first.pk)
    assert browser.post(address, {"place": place}, headers=in_list()).status_code == 200


def test_task_is_done_without_scripts(browser: Client, rep: User) -> None:
    task = make_task(rep)
    list_url = reverse("tasks:list")
    address = url("complete-task", task.lead_id, task.pk)
    response = browser.post(address, {"list": f"{list_url}?whose=anybody"})
    assert response.headers["Location"] == f"{list_url}?whose=anybody"


def test_task_is_done_on_the_leads_page(browser: Client, rep: User) -> None:
    task = make_task(rep)
    address = url("complete-task", task.lead_id, task.pk)
    here = f"http://testserver{url('detail', task.lead_id)}"
    response = browser.post(address, headers={**HTMX, "HX-Current-URL": here})
    assert response.headers["HX-Retarget"] == "#lead-header"
    assert "lead-changed" in response.headers["HX-Trigger"]


def test_task_that_a_colleague_has_done_meanwhile_is_told(browser: Client, rep: User) -> None:
    task = make_task(rep)
    services.complete_task(task, None)
    response = browser.post(url("complete-task", task.lead_id, task.pk), headers=in_list())
    assert response.status_code == 422
    assert "done or skipped before" in page_of(response).text


def test_task_is_skipped_for_a_reason(browser: Client, rep: User) -> None:
    task = make_task(rep)
    address = url("skip-task", task.lead_id, task.pk)
    assert "Why not?" in page_of(browser.get(address, headers=HTMX)).text
    response = browser.post(address, {"reason": "They moved", "place": "0"}, headers=in_list())
    assert response.headers["HX-Retarget"] == "#task-list"
    task.refresh_from_db()
    assert (task.state, task.reason) == (Task.State.SKIPPED, "They moved")


def test_task_of_nobody_is_taken(browser: Client, rep: User) -> None:
    task = make_task()
    address = url("assign-task", task.lead_id, task.pk)
    form = browser.get(address, headers=HTMX).context["form"]
    assert form["assignee"].value() == rep.pk
    response = browser.post(address, {"assignee": rep.pk}, headers=in_list("nobody"))
    assert "Nothing is to be done" in page_of(response).text
    task.refresh_from_db()
    assert task.assignee == rep


def test_task_of_another_lead_is_not_found(browser: Client, rep: User) -> None:
    task, other = make_task(rep), make_lead()
    for name in ("complete-task", "skip-task", "assign-task"):
        assert browser.post(url(name, other.pk, task.pk)).status_code == 404
    assert Lead.objects.count() == 2
