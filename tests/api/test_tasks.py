"""Tasks and meetings over HTTP."""

from typing import Any

import pytest

from leads.models import Task
from leads.services import add_task
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, fields_of
from tests.factories import make_user
from tests.leads.factories import make_lead

pytestmark = pytest.mark.django_db


def test_task_is_told_as_it_was_written(api: ApiClient, tenant: Tenant) -> None:
    lead, ada = make_lead(), make_user(tenant)
    given = {
        "lead": str(lead.pk),
        "title": " Call ",
        "kind": "call",
        "due_at": "2026-12-01T10:00:00Z",
        "assignee": ada.email,
        "source": "dialler",
        "source_id": "7",
    }
    response = api.post("/api/tasks", given)
    assert response.status_code == 201
    task = response.json()
    assert (task["title"], task["kind"], task["state"]) == ("Call", "call", "open")
    assert (task["lead_id"], task["assignee"]["id"]) == (str(lead.pk), ada.pk)
    assert api.get(f"/api/tasks/{task['id']}").json() == task
    assert api.post("/api/tasks", given).json()["id"] == task["id"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "lead"),
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "Call", "kind": "pray"}, "kind"),
        ({"title": "Call", "assignee": 424242}, "assignee"),
        ({"title": "Call", "due_at": "tomorrow"}, "due_at"),
        ({"title": "Call", "due_at": "9999-12-31T23:59:59Z"}, "due_at"),
        ({"title": "Call", "colour": "red"}, "colour"),
        ({"title": "Call", "lead": 5}, "lead"),
        ({"title": "Call", "lead": "00000000-0000-0000-0000-000000000000"}, "lead"),
    ],
)
def test_wrong_task_is_refused_by_its_field(
    api: ApiClient, given: dict[str, Any], field: str
) -> None:
    body = {"lead": str(make_lead().pk), **given} if given else {"title": "Call"}
    response = api.post("/api/tasks", body)
    assert response.status_code == 400
    assert field in fields_of(response)
    assert not Task.objects.exists()


def test_list_is_narrowed(api: ApiClient, tenant: Tenant) -> None:
    lead, ada = make_lead(), make_user(tenant)
    mine = add_task(lead, title="Mine", assignee=ada)
    free = add_task(make_lead(), title="Free", kind="call")
    api.post(f"/api/tasks/{free.pk}/complete")

    def found(query: str) -> list[str]:
        return [task["title"] for task in api.results(f"/api/tasks?{query}")]

    assert found("") == ["Free", "Mine"]
    assert found("state=open") == found(f"lead={lead.pk}") == found(f"assignee={ada.pk}")
    assert found("state=open") == ["Mine"]
    assert found("assignee=none") == found("kind=call") == ["Free"]
    assert found("due_before=2026-01-01T00:00:00Z") == []
    assert mine.is_open


def test_task_is_settled_once(api: ApiClient) -> None:
    task = add_task(make_lead(), title="Call")
    done = api.post(f"/api/tasks/{task.pk}/complete")
    assert (done.status_code, done.json()["state"]) == (200, "done")
    again = api.post(f"/api/tasks/{task.pk}/skip", {"reason": "too late"})
    assert again.status_code == 400
    other = add_task(make_lead(), title="Call")
    skipped = api.post(f"/api/tasks/{other.pk}/skip", {"reason": "too late"}).json()
    assert (skipped["state"], skipped["reason"]) == ("skipped", "too late")


def test_task_is_assigned(api: ApiClient, tenant: Tenant) -> None:
    task, ada = add_task(make_lead(), title="Call"), make_user(tenant)
    told = api.patch(f"/api/tasks/{task.pk}", {"assignee": ada.pk}).json()
    assert told["assignee"]["id"] == ada.pk
    assert api.patch(f"/api/tasks/{task.pk}", {"assignee": None}).json()["assignee"] is None


def test_meeting_is_kept_and_moved(api: ApiClient) -> None:
    lead = make_lead()
    path, known = f"/api/leads/{lead.pk}/meetings", {"source": "calendar", "external_id": "uid"}
    first = api.post(path, {"title": "Demo", "starts_at": "2026-12-01T10:00:00Z", **known})
    assert first.status_code == 201
    api.post(path, {"title": "Demo", "starts_at": "2026-12-02T10:00:00Z", **known})
    [meeting] = api.results(path)
    assert meeting["id"] == first.json()["id"]
    assert meeting["starts_at"].startswith("2026-12-02T10:00:00")


def test_lead_has_a_place(api: ApiClient) -> None:
    lead = api.post("/api/leads", {"name": "Ada", "time_zone": "Europe/Berlin", "country": "de"})
    assert (lead.json()["time_zone"], lead.json()["country"]) == ("Europe/Berlin", "DE")
    wrong = api.patch(f"/api/leads/{lead.json()['id']}", {"country": "XX"})
    assert (wrong.status_code, list(fields_of(wrong))) == (400, ["country"])
