"""Drafts and runs over HTTP: read and edited by programs, approved by people."""

from typing import Any

import pytest
from pytest_django import Settings

from channels.autopilot.models import ActionType, Draft, Mode, Run, Suggestion
from channels.autopilot.runs import request_run
from events.testing import settle_events
from leads.models import Task
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.api.clients import ApiClient, api_of, fields_of
from tests.autopilot.endpoint import Server
from tests.autopilot.factories import make_endpoint
from tests.autopilot.stage import answers, draft_to, says, set_rule, writes
from tests.factories import make_tenant, make_user

TEXT = "Hello Ada, thank you for your message. We will get back to you."


@pytest.fixture
def api(tenant: Tenant) -> ApiClient:
    return api_of(tenant)


@pytest.fixture
def rep(tenant: Tenant) -> User:
    return make_user(tenant)


@pytest.fixture
def draft(tenant: Tenant, server: Server, settings: Settings) -> Draft:
    settings.AI_PRIVATE_ADDRESSES = True
    make_endpoint(server)
    says(server, TEXT)
    set_rule(Mode.APPROVE)
    return draft_to(writes())


def path(draft: Draft, verb: str = "") -> str:
    return f"/api/autopilot/drafts/{draft.pk}" + (f"/{verb}" if verb else "")


def test_drafts_are_listed_and_read(api: ApiClient, draft: Draft) -> None:
    [row] = api.results("/api/autopilot/drafts?state=pending")
    assert row == api.get(path(draft)).json()
    assert (row["body"], row["revision"], row["channel"]) == (TEXT, 1, "email")
    assert api.results("/api/autopilot/drafts?state=sent") == []
    assert api.results(f"/api/autopilot/drafts?lead={draft.lead_id}")
    assert api.get("/api/autopilot/drafts?state=x").status_code == 400


def test_person_approves_and_a_key_does_not(api: ApiClient, draft: Draft, rep: User) -> None:
    body = {"revision": 1}
    assert api.post(path(draft, "approve"), body).status_code == 403
    person = ApiClient(user=rep)
    response = person.post(path(draft, "approve"), body)
    assert (response.status_code, response.json()["state"]) == (200, "approved")
    assert response.json()["decided_by"]["id"] == rep.pk
    assert person.post(path(draft, "approve"), body).status_code == 409
    assert api.post(path(draft, "stop")).json()["state"] == "pending"
    assert api.post(path(draft, "stop")).status_code == 409


def test_stale_revision_is_a_conflict(api: ApiClient, draft: Draft, rep: User) -> None:
    edited = api.post(path(draft, "edit"), {"revision": 1, "body": "Better."})
    assert (edited.status_code, edited.json()["revision"]) == (200, 2)
    response = ApiClient(user=rep).post(path(draft, "approve"), {"revision": 1})
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "conflict"
    assert api.post(path(draft, "edit"), {"revision": 1, "body": "x"}).status_code == 409


@pytest.mark.parametrize(
    ("verb", "body", "fields"),
    [
        ("edit", {}, ["revision", "body"]),
        ("edit", {"revision": 0, "body": "x"}, ["revision"]),
        ("edit", {"revision": 1, "body": "x", "to_address": "evil@example.com"}, ["to_address"]),
        ("edit", {"revision": 1, "body": "x", "subject": "a\r\nBcc: b@example.com"}, ["subject"]),
        ("dismiss", {"reason": "x" * 501}, ["reason"]),
    ],
)
def test_wrong_bodies_are_named(
    api: ApiClient, draft: Draft, verb: str, body: dict[str, Any], fields: list[str]
) -> None:
    response = api.post(path(draft, verb), body)
    assert response.status_code == 400
    assert sorted(fields_of(response)) == sorted(fields)


def test_dismissed_over_http(api: ApiClient, draft: Draft) -> None:
    assert api.post(path(draft, "dismiss"), {"reason": "tone"}).json()["state"] == "dismissed"


def test_runs_are_asked_for_and_read_without_their_prompts(
    api: ApiClient, draft: Draft, server: Server
) -> None:
    answers(server, points=[{"text": "They thank us.", "quote": "Thanks for the call"}])
    body = {"action": "summarise", "lead": str(draft.lead_id)}
    response = api.post("/api/autopilot/runs", body)
    assert (response.status_code, response.json()["state"]) == (202, "waiting")
    settle_events()
    run = api.get(f"/api/autopilot/runs/{response.json()['id']}").json()
    assert (run["outcome"], run["cost"]) == ("summarised", "0.000006750000")
    assert run["result"]["points"][0]["text"] == "They thank us."
    assert "messages" not in run
    assert len(api.results("/api/autopilot/runs")) == 2
    assert len(api.results("/api/autopilot/runs?action=draft")) == 1
    refused = api.post("/api/autopilot/runs", body | {"action": "draft"})
    assert refused.status_code == 400


def test_suggestion_is_taken_by_a_person(
    api: ApiClient, draft: Draft, server: Server, rep: User
) -> None:
    answers(server, choice=2, reasons=[{"text": "x", "quote": "Thanks for the call"}])
    request_run(ActionType.PROPOSE, key="p", lead=draft.lead)
    settle_events()
    suggestion = Suggestion.objects.get()
    address = f"/api/autopilot/suggestions/{suggestion.pk}"
    assert api.post(f"{address}/accept").status_code == 403
    person = ApiClient(user=rep)
    assert person.post(f"{address}/accept").json()["state"] == "accepted"
    assert Task.objects.count() == 1
    assert person.post(f"{address}/dismiss").status_code == 400


def test_costs_are_told_to_the_last_digit(api: ApiClient, draft: Draft) -> None:
    told = api.get("/api/autopilot/costs").json()
    assert (told["total"]["cost"], told["total"]["calls"]) == ("0.000006750000", 1)
    assert [row["calls"] for row in told["models"]] == [1]
    assert api.get("/api/autopilot/costs?days=1").json()["total"]["calls"] == 1
    for wrong in ("days=0", "days=x", "days=367", "days=1e9", "since=2027"):
        assert api.get(f"/api/autopilot/costs?{wrong}").status_code == 400


def test_another_tenants_rows_are_not_found(draft: Draft) -> None:
    other = make_tenant("other")
    with tenant_context(other):
        stranger, person = api_of(other), ApiClient(user=make_user(other))
    assert stranger.results("/api/autopilot/drafts") == []
    assert stranger.results("/api/autopilot/runs") == []
    for verb, body in (("", None), ("edit", {"revision": 1, "body": "x"}), ("dismiss", {})):
        call = stranger.post if verb else stranger.get
        given = [path(draft, verb), body] if verb else [path(draft)]
        assert call(*given).status_code == 404
    assert person.post(path(draft, "approve"), {"revision": 1}).status_code == 404
    run = Run.objects.get()
    assert stranger.get(f"/api/autopilot/runs/{run.pk}").status_code == 404
