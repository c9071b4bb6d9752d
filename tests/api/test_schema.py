"""The OpenAPI document is sound, and what the API answers is what the document says."""

import io
import json
import re
from typing import Any

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator

from channels.autopilot.models import Suggestion
from events.models import Event
from events.payloads import payload_types
from events.settling import settle
from leads.services import create_lead, lose_lead
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient
from tests.autopilot.rows import ids_about, make_suggestion
from tests.autopilot.stage import set_rule
from tests.channels.factories import make_inbound_message, make_message
from tests.events.factories import make_failed_event, make_failure
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def document() -> Any:
    return ApiClient().get("/api/schema").json()


def test_document_is_made_without_a_warning(db: None) -> None:
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=io.StringIO())


def test_document_is_json_for_everybody_and_yaml_for_who_asks() -> None:
    plain = ApiClient().get("/api/schema")
    assert plain["Content-Type"] == "application/json"
    assert plain.json()["openapi"].startswith("3.1")
    yaml = ApiClient().get("/api/schema", Accept="application/vnd.oai.openapi")
    assert yaml.content.startswith(b"openapi: 3.1")


def test_document_has_every_payload(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for payload in payload_types().values():
        assert payload.__name__ in schemas


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), f"{method} {path}"
            headers = [p["name"] for p in operation.get("parameters", []) if p["in"] == "header"]
            assert headers == (["Idempotency-Key"] if method == "post" else []), path


def test_no_component_dangles(document: dict[str, Any]) -> None:
    known = {
        f"#/components/{kind}/{name}"
        for kind, components in document["components"].items()
        for name in components
    }
    assert set(re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(document))) <= known


class Checked:
    """A caller whose every answer is compared with the document."""

    def __init__(self, api: ApiClient, document: dict[str, Any]) -> None:
        self.api, self.document = api, document
        self.seen: set[tuple[str, str, str]] = set()

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        response = self.api.request(method, path, body)
        route = self._route(path.partition("?")[0])
        answers = self.document["paths"][route][method.lower()]["responses"]
        answer = answers.get(str(response.status_code)) or answers["default"]
        if "$ref" in answer:
            answer = self.document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        self.seen.add((method, route, str(response.status_code)))
        if "content" in answer:
            schema = answer["content"]["application/json"]["schema"]
            whole = {**schema, "components": self.document["components"]}
            Draft202012Validator(
                whole, format_checker=Draft202012Validator.FORMAT_CHECKER
            ).validate(response.json())
            return response.json()
        assert response.content == b""
        return None

    def _route(self, path: str) -> str:
        if path in self.document["paths"]:
            return path
        for route in self.document["paths"]:
            if re.fullmatch(re.sub(r"{\w+}", "[^/]+", route), path):
                return str(route)
        raise AssertionError(f"{path} is not in the document.")


def walk_tasks(call: Checked, lead: str, owner: int) -> None:
    """Everything that can be done with tasks and meetings."""
    given = {"lead": lead, "title": "Call", "kind": "call", "due_at": "2027-01-04T10:00:00Z"}
    done, skipped = (call("POST", "/api/tasks", given)["id"] for _task in range(2))
    call("POST", "/api/tasks", {"lead": lead, "title": ""})
    call("PATCH", f"/api/tasks/{done}", {"assignee": owner})
    call("POST", f"/api/tasks/{done}/complete")
    call("POST", f"/api/tasks/{done}/complete")
    call("POST", f"/api/tasks/{skipped}/skip", {"reason": "They called"})
    call("GET", f"/api/tasks/{done}")
    call("GET", "/api/tasks?state=open")
    meetings = f"/api/leads/{lead}/meetings"
    call("POST", meetings, {"title": "Demo", "starts_at": "2027-01-04T10:00:00Z"})
    call("POST", meetings, {"title": "Demo"})
    call("GET", meetings)


def walk_sequences(call: Checked) -> None:
    """Everything that can be done with sequences."""
    mail = {"kind": "message", "variants": [{"subject": "Hi", "body": "Dear {{ first_name }}"}]}
    made = call("POST", "/api/sequences", {"name": "Welcome", "content": {"steps": [mail]}})
    path = f"/api/sequences/{made['id']}"
    call("POST", "/api/sequences", {"name": "Welcome"})
    call("POST", f"{path}/publish")
    call("POST", f"{path}/publish")
    call("GET", path)
    call("GET", "/api/sequences?state=active")
    call("PATCH", path, {"content": {"steps": [mail, mail]}, "revision": 0})
    call("PATCH", path, {"state": "draft"})
    call("POST", f"{path}/clone", {"name": "Twin"})
    call("GET", f"{path}/statistics")
    leads = {"leads": [str(create_lead(name="C", emails=["c@example.com"]).pk)]}
    call("POST", f"{path}/enrolments", {**leads, "dry_run": True})
    [enrolment] = call("POST", f"{path}/enrolments", leads)["enrolled"]
    call("POST", f"{path}/enrolments", leads)
    call("GET", "/api/enrolments")
    for verb in ("pause", "pause", "resume", "stop"):
        call("POST", f"/api/enrolments/{enrolment['id']}/{verb}")


def test_every_answer_is_as_the_document_says(
    api: ApiClient, tenant: Tenant, document: dict[str, Any]
) -> None:
    call = Checked(api, document)
    owner = make_user(tenant)
    lead = call(
        "POST",
        "/api/leads",
        {
            "name": "Ada",
            "emails": ["ada@example.com"],
            "owner": owner.pk,
            "value": "5",
            "custom_fields": {"seats": [1, None, {"deep": True}]},
        },
    )
    call("POST", "/api/leads", {"name": 5, "colour": "red"})
    call("POST", "/api/leads/extract", {"text": "ada@example.com", "dry_run": True})
    call("POST", "/api/leads/extract", {"text": "Company: Engines Ltd, budget: $5k"})
    path = f"/api/leads/{lead['id']}"
    call("PATCH", path, {"value": None, "owner": None, "stage": "Won"})
    call("POST", f"{path}/notes", {"body": "Call back"})
    call("GET", f"{path}/notes")
    said = {"channel": "email", "address": "ada@example.com", "decision": "granted"}
    call("POST", f"{path}/consents", {**said, "basis": "consent", "words": "On the phone"})
    call("POST", f"{path}/consents", said)
    call("GET", f"{path}/consents")
    message = make_message(lose_lead(create_lead(name="B", emails=["b@example.com"]), reason="x"))
    sent = call("POST", "/api/messages", {"lead": lead["id"], "channel": "email", "body": "Hi"})
    call("GET", f"/api/messages/{sent['id']}")
    hello = {"name": "Hello", "language": "en", "body": "Dear {{ first_name }}"}
    template = call("POST", "/api/templates", hello)["id"]
    call("POST", "/api/templates", hello)
    call("GET", f"/api/templates/{template}")
    call("PATCH", f"/api/templates/{template}", {"channel": "email"})
    call("POST", "/api/messages", {"lead": lead["id"], "channel": "email", "template": template})
    call("GET", "/api/templates?language=en")
    call("DELETE", f"/api/templates/{template}")
    walk_tasks(call, lead["id"], owner.pk)
    walk_sequences(call)
    inbound = make_inbound_message()
    set_rule("approve")
    drafts, draft = (
        "/api/autopilot/drafts",
        f"/api/autopilot/drafts/{ids_about(inbound)['draft_id']}",
    )
    call("GET", f"{drafts}?state=pending")
    call("GET", draft)
    call("POST", f"{draft}/edit", {"revision": 1, "body": "Hello"})
    call("POST", f"{draft}/edit", {"revision": 1, "body": "Hello"})
    call.api = ApiClient(user=owner)
    call("POST", f"{draft}/approve", {"revision": 2})
    for verb in ("accept", "dismiss"):
        Suggestion.objects.all().delete()
        call("POST", f"/api/autopilot/suggestions/{make_suggestion(inbound).pk}/{verb}")
    call.api = api
    call("POST", f"{draft}/approve", {"revision": 2})
    call("POST", f"{draft}/stop")
    call("POST", f"{draft}/dismiss", {"reason": "tone"})
    run = call("POST", "/api/autopilot/runs", {"action": "summarise", "lead": lead["id"]})
    call("GET", f"/api/autopilot/runs/{run['id']}")
    call("GET", "/api/autopilot/runs?action=summarise")
    call("GET", "/api/autopilot/costs")
    call("GET", "/api/conversations")
    call("GET", f"/api/conversations/{message.conversation_id}")
    call("GET", f"/api/conversations/{message.conversation_id}/messages")
    call("PATCH", f"/api/conversations/{message.conversation_id}", {"state": "closed"})
    call("POST", f"/api/conversations/{message.conversation_id}/read")
    settle(list(Event.objects.values_list("id", flat=True)))
    for listed in (
        "/api/leads?limit=1",
        "/api/pipelines",
        "/api/analytics/funnel",
        "/api/analytics/slo",
        f"{path}/events",
    ):
        call("GET", listed)
    call("GET", path)
    call("GET", "/api/leads?colour=red")
    events = call("GET", "/api/events")["results"]
    call("GET", "/api/events/status/pending")
    call("GET", f"/api/events/{events[0]['id']}")
    replay = call("POST", f"/api/events/{events[0]['id']}/replay")["replay"]
    call("POST", "/api/events/replay/batch?event_type=lead.created&limit=10", {"reason": "x"})
    call("GET", f"/api/replays/{replay}")
    call("GET", f"/api/replays/{replay}/items")
    call("GET", "/api/replays?status=running")
    selection = {"status": "failed", "recorded_after": "2026-01-01T00:00:00Z"}
    plan = call("POST", "/api/replays", {"selection": selection, "handlers": []})["id"]
    call("POST", "/api/replays", {"selection": {}})
    call("POST", f"/api/replays/{plan}/start", {"reason": "mended", "canary": True, "pace": 5})
    call("POST", f"/api/replays/{plan}/start", {"reason": "too late"})
    call("POST", f"/api/replays/{plan}/pause", {"reason": "lunch"})
    call("POST", f"/api/replays/{plan}/resume")
    call("POST", f"/api/replays/{plan}/cancel")
    wrong = make_failed_event()
    corrected = {"payload": {**wrong.payload, "number": 1}, "reason": "a typo"}
    call("POST", f"/api/events/{wrong.pk}/correct", corrected)
    fingerprint = make_failure().fingerprint
    call("GET", "/api/failures?state=open&ordering=-occurrences")
    call("GET", f"/api/failures/{fingerprint}")
    call("POST", f"/api/failures/{fingerprint}/triage", {"state": "resolved", "note": "mended"})
    call("POST", f"/api/failures/{fingerprint}/triage", {"state": "away"})
    handler = call("GET", "/api/handlers")[0]["name"]
    call("POST", f"/api/handlers/{handler}/pause", {"reason": "x"})
    call.api = ApiClient(user=make_user(tenant, is_staff=True, is_superuser=True))
    call("POST", f"/api/handlers/{handler}/pause", {"reason": "x"})
    call("POST", f"/api/handlers/{handler}/resume")
    call("POST", f"/api/events/{wrong.pk}/correct", corrected)
    call("POST", f"/api/events/{wrong.pk}/correct", corrected)
    call.api = api
    call("DELETE", path)
    call("GET", path)
    operations = {
        (method.upper(), route)
        for route, methods in document["paths"].items()
        for method in methods
    }
    answered = {(method, route) for method, route, status in call.seen if status < "300"}
    assert answered == operations
