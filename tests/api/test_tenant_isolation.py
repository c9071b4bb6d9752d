"""Walks every route of the API as another tenant: nothing is seen, counted, changed or inferred."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from channels.autopilot.models import Draft
from channels.models import Conversation
from channels.sequences.documents import Document, MessageStep, Variant
from channels.sequences.enrolling import enrol_leads, pause_enrolment
from channels.sequences.publishing import publish_version
from channels.sequences.versions import create_sequence, edit_draft
from channels.services import receive_message, send_message
from events.models import (
    Attempt,
    AuditLine,
    Delivery,
    Event,
    FailureGroup,
    Replay,
    ReplayItem,
)
from events.replays import start_replay
from events.settling import settle
from leads.models import Lead
from leads.services import add_note, add_task, book_meeting, create_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Membership, Tenant, TenantScoped
from tests.api.clients import ApiClient, api_of
from tests.autopilot.rows import ids_about
from tests.autopilot.stage import set_rule
from tests.channels.template_factories import make_template
from tests.events.factories import make_failure
from tests.factories import make_tenant, make_user
from tests.staff import make_staff

pytestmark = pytest.mark.django_db

Route = tuple[str, str, Any]
MAIL = Document(steps=(MessageStep(variants=(Variant(subject="Hi", body="Zanzibar mail"),)),))

PUBLIC = {"api", "api-root", "api-schema", "api-docs"}
# Handlers are all tenants'; that figures and pauses are not, tests/events/test_handlers_page.py
# shows.
SHARED = {"api-handlers", "api-handler-pause", "api-handler-resume"}
# What a valid request sends, for every route with an id that takes a body.
BODIES = {
    ("POST", "api-event-correct"): {"payload": {}, "reason": "a typo"},
    ("POST", "api-event-replay"): {"reason": "mended"},
    ("POST", "api-failure-triage"): {"state": "muted"},
    ("POST", "api-lead-notes"): {"body": "Call back"},
    ("POST", "api-lead-meetings"): {"title": "Demo", "starts_at": "2026-12-01T10:00:00Z"},
    ("POST", "api-task-complete"): {},
    ("POST", "api-task-skip"): {"reason": "too late"},
    ("PATCH", "api-task"): {"assignee": None},
    ("POST", "api-lead-consents"): {
        "channel": "email",
        "address": "zanzibar@example.com",
        "decision": "withdrawn",
    },
    ("POST", "api-conversation-read"): {},
    ("PATCH", "api-lead"): {"company": "Analytical"},
    ("PATCH", "api-conversation"): {"state": "closed"},
    ("PATCH", "api-template"): {"body": "Good day"},
    ("POST", "api-draft-approve"): {"revision": 1},
    ("POST", "api-draft-edit"): {"revision": 1, "body": "Hello"},
    ("POST", "api-draft-dismiss"): {},
    ("POST", "api-draft-stop"): {},
    ("POST", "api-suggestion-accept"): {},
    ("POST", "api-suggestion-dismiss"): {},
    ("POST", "api-replay-start"): {"reason": "mended"},
    ("POST", "api-replay-pause"): {"reason": "lunch"},
    ("POST", "api-replay-resume"): {"reason": "lunch is over"},
    ("POST", "api-replay-cancel"): {"reason": "a mistake"},
    ("PATCH", "api-sequence"): {"name": "Zanzibar renamed"},
    ("POST", "api-sequence-publish"): {},
    ("POST", "api-sequence-clone"): {"name": "Zanzibar twin"},
    ("POST", "api-sequence-enrolments"): {"leads": [], "dry_run": True},
    ("POST", "api-enrolment-pause"): {},
    ("POST", "api-enrolment-resume"): {},
    ("POST", "api-enrolment-stop"): {},
}
# What the replay has to be, where it is not running as in the world.
STATUSES = {"api-replay-start": "planned", "api-replay-resume": "paused"}
# What no key may do.
FOR_PEOPLE = {"api-draft-approve", "api-suggestion-accept", "api-suggestion-dismiss"}
# Routes without an id that write: each has a test below.
WRITES = {
    ("POST", "api-leads"),
    ("POST", "api-leads-extract"),
    ("POST", "api-messages"),
    ("POST", "api-runs"),
    ("POST", "api-tasks"),
    ("POST", "api-templates"),
    ("POST", "api-sequences"),
    ("POST", "api-events-replay"),
    ("POST", "api-replays"),
}


def routes(resolver: Any = None, prefix: str = "") -> Iterator[Route]:
    """Route, method → pattern, of all that is below /api."""
    resolver = resolver or get_resolver()
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, path)
        elif path == "api" or path.startswith("api/"):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                if hasattr(pattern.callback.cls, method.lower()):
                    yield method, path, pattern


PRIVATE = [route for route in routes() if route[2].name not in PUBLIC | SHARED]
WITH_ID = [route for route in PRIVATE if route[2].pattern.converters]
LISTS = [route for route in PRIVATE if route[0] == "GET" and route not in WITH_ID]


def label(route: Route) -> str:
    return f"{route[0]} {route[1]}" if isinstance(route, tuple) else str(route)


class World:
    """A tenant with one of everything."""

    def __init__(self) -> None:
        self.tenant = make_tenant("zanzibar", name="Zanzibar")
        with tenant_context(self.tenant):
            self.user = make_user(self.tenant, Membership.Role.ADMIN, email="zoe@example.com")
            self.lead = create_lead(
                name="Zanzibar Lead",
                emails=["zanzibar@example.com"],
                external_id="zanzibar-1",
                owner=self.user,
                value=12345,
                source="zanzibar",
            )
            add_note(self.lead, "Zanzibar note")
            self.task = add_task(self.lead, title="Zanzibar task", assignee=self.user)
            book_meeting(self.lead, title="Zanzibar meeting", starts_at=timezone.now())
            self.message = send_message(self.lead, channel="email", body="Zanzibar mail")
            answer = receive_message(
                self.lead, channel="email", address="zanzibar@example.com", body="Zanzibar answer"
            )
            self.autopilot = ids_about(answer)
            set_rule("approve")
            self.template = make_template(name="Zanzibar greeting")
            self.sequence = create_sequence("Zanzibar tour", document=MAIL)
            publish_version(self.sequence)
            self.sequence.refresh_from_db()
            [self.enrolment] = enrol_leads([self.lead], self.sequence, source="api").enrolled
            # There is something to publish, too.
            edit_draft(self.sequence, lambda document: document.model_copy(update={"gap": 5}))
            settle(list(Event.objects.values_list("id", flat=True)))
            self.event = Event.objects.order_by("position").first()
            self.replay = start_replay(Event.objects.all(), reason="Zanzibar")
            self.failure = make_failure(error="Zanzibar is closed")
            self.api = api_of(self.tenant)
        self.ids = {
            "lead_id": self.lead.id,
            "event_id": self.event.id,
            "replay_id": self.replay.id,
            "fingerprint": self.failure.fingerprint,
            "message_id": self.message.id,
            "conversation_id": self.message.conversation_id,
            "template_id": self.template.pk,
            "sequence_id": self.sequence.pk,
            "enrolment_id": self.enrolment.pk,
            "task_id": self.task.pk,
            **{name: self.autopilot[name] for name in ("draft_id", "run_id", "suggestion_id")},
        }

    def correction(self) -> dict[str, Any]:
        """What corrects this world's event, which has failed."""
        Event.unscoped.filter(pk=self.event.pk).update(status="failed")
        self.event.deliveries.update(status="failed")
        return {"payload": {**self.event.payload, "company": "Zanzibar Ltd"}, "reason": "a typo"}

    def path(self, route: Route) -> str:
        """The route's address with this world's ids."""
        _method, path, pattern = route
        for name in pattern.pattern.converters:
            assert name in self.ids, f"Teach this test what “{name}” of /{path} is."
            path = path.replace(f"<uuid:{name}>", str(self.ids[name]))
        assert "<" not in path
        return f"/{path}"

    def snapshot(self) -> str:
        """Everything that belongs to the tenant, as text."""
        scoped = [model for model in apps.get_models() if issubclass(model, TenantScoped)]
        rows: dict[str, Any] = {
            model.__name__: list(model.unscoped.filter(tenant=self.tenant).order_by("pk").values())
            for model in scoped
        }
        events = Event.unscoped.filter(tenant=self.tenant)
        rows["events"] = list(events.order_by("position").values())
        rows["deliveries"] = list(Delivery.objects.filter(event__in=events).values())
        rows["attempts"] = list(Attempt.objects.filter(delivery__event__in=events).values())
        rows["replays"] = list(Replay.objects.filter(tenant=self.tenant).values())
        rows["items"] = list(ReplayItem.objects.filter(replay__tenant=self.tenant).values())
        rows["failures"] = list(FailureGroup.unscoped.filter(tenant=self.tenant).values())
        rows["audit"] = list(AuditLine.objects.filter(tenant=self.tenant).values())
        return json.dumps(rows, default=str, indent=1)


@pytest.fixture
def intruder() -> ApiClient:
    other = make_tenant("intruder")
    with tenant_context(other):
        return api_of(other)


@pytest.fixture
def world(intruder: ApiClient) -> World:
    return World()


def editor_of(slug: str) -> ApiClient:
    """Somebody who may do at a tenant what no key does."""
    return ApiClient(user=make_staff(Tenant.objects.get(slug=slug), may=["correct_event"]))


def person_of(slug: str) -> ApiClient:
    """A member of a tenant."""
    tenant = Tenant.objects.get(slug=slug)
    with tenant_context(tenant):
        return ApiClient(user=make_user(tenant))


def body_of(method: str, name: str) -> Any:
    if method in ("GET", "DELETE"):
        return None
    assert (method, name) in BODIES, f"Teach this test what {method} {name} takes."
    return BODIES[method, name]


def test_every_route_is_walked() -> None:
    walked = {(route[0], route[2].name) for route in [*WITH_ID, *LISTS]} | WRITES
    assert {(route[0], route[2].name) for route in PRIVATE} == walked
    assert len(PRIVATE) > 15


@pytest.mark.parametrize("route", WITH_ID, ids=label)
def test_id_of_another_tenant_is_not_found(world: World, intruder: ApiClient, route: Route) -> None:
    method, _path, pattern = route
    path, body = world.path(route), body_of(method, pattern.name)
    mine = world.api
    if pattern.name == "api-event-correct":
        body = world.correction()
        mine, intruder = (editor_of(slug) for slug in ("zanzibar", "intruder"))
    if pattern.name == "api-sequence-enrolments":
        body = {**body, "leads": [str(world.lead.pk)]}
    if pattern.name == "api-enrolment-resume":
        with tenant_context(world.tenant):
            pause_enrolment(world.enrolment)
    if pattern.name in FOR_PEOPLE:
        mine, intruder = (person_of(slug) for slug in ("zanzibar", "intruder"))
    if pattern.name == "api-draft-stop":
        Draft.unscoped.filter(state="pending").update(state="approved")
    Replay.objects.update(status=STATUSES.get(pattern.name, "running"))
    before = world.snapshot()
    response = intruder.request(method, path, body)
    assert response.status_code == 404
    assert world.snapshot() == before
    unknown = path
    for own in world.ids.values():
        unknown = unknown.replace(str(own), str(uuid7()))
    answer, never = response.json(), intruder.request(method, unknown, body).json()
    answer["error"].pop("request_id"), never["error"].pop("request_id")
    assert answer == never
    assert mine.request(method, path, body).status_code < 300


@pytest.mark.parametrize("route", LISTS, ids=label)
def test_list_is_the_same_as_if_the_other_tenant_were_not_there(
    intruder: ApiClient, route: Route
) -> None:
    path = f"/{route[1]}"
    before = intruder.get(path)
    assert before.status_code == 200
    world = World()
    assert intruder.get(path).content == before.content
    assert world.api.get(path).content != before.content


def test_filter_finds_nothing_of_another_tenant(world: World, intruder: ApiClient) -> None:
    for query in (
        "search=Zanzibar",
        "search=zanzibar@example.com",
        "external_id=zanzibar-1",
        "source=zanzibar",
    ):
        assert world.api.results(f"/api/leads?{query}")
        assert intruder.results(f"/api/leads?{query}") == []
    for query in (f"subject={world.lead.id}", f"request_id={world.event.request_id}"):
        assert intruder.results(f"/api/events?{query}") == []
    assert intruder.results(f"/api/conversations?lead={world.lead.id}") == []
    assert intruder.results(f"/api/enrolments?lead={world.lead.id}") == []
    assert intruder.results("/api/sequences?name=Zanzibar%20tour") == []


def errors_of(response: Any, *replaced: object) -> dict[str, list[str]]:
    text = response.content.decode()
    for given in replaced:
        text = text.replace(str(given), "…")
    fields: dict[str, list[str]] = json.loads(text)["error"]["fields"]
    return fields


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/leads?owner={user}", None),
        ("GET", "/api/leads?owner={email}", None),
        ("GET", "/api/leads?stage={stage}", None),
        ("POST", "/api/leads", {"name": "X", "stage": "{stage}"}),
        ("POST", "/api/leads", {"name": "X", "owner": "{user}"}),
        ("POST", "/api/leads", {"name": "X", "owner": "{email}"}),
        ("POST", "/api/messages", {"lead": "{lead}", "channel": "email", "body": "Hi"}),
        ("POST", "/api/autopilot/runs", {"lead": "{lead}", "action": "summarise"}),
    ],
)
def test_reference_to_another_tenant_is_told_like_one_to_nothing(
    world: World, intruder: ApiClient, method: str, path: str, body: Any
) -> None:
    theirs = {
        "user": str(world.user.pk),
        "email": world.user.email,
        "stage": str(world.lead.stage_id),
        "lead": str(world.lead.id),
    }
    nothing = {
        "user": "987654321",
        "email": "no@example.com",
        "stage": str(uuid7()),
        "lead": str(uuid7()),
    }
    before = world.snapshot()
    answers = []
    for ids in (theirs, nothing):
        filled = {key: value.format(**ids) for key, value in body.items()} if body else None
        response = intruder.request(method, path.format(**ids), filled)
        assert response.status_code == 400
        answers.append(errors_of(response, *sorted(ids.values(), key=len, reverse=True)))
    assert answers[0] == answers[1]
    assert world.snapshot() == before


def test_taken_address_and_external_id_of_another_tenant_are_free(
    world: World, intruder: ApiClient
) -> None:
    body = {"name": "X", "emails": ["zanzibar@example.com"], "external_id": "zanzibar-1"}
    assert intruder.post("/api/leads", body).status_code == 201


def test_text_with_addresses_of_another_tenant_makes_a_lead_of_the_callers(
    world: World, intruder: ApiClient
) -> None:
    before = world.snapshot()
    addresses = ["zanzibar@example.com", world.user.email]
    response = intruder.post("/api/leads/extract", {"text": " or ".join(addresses)})
    assert response.status_code == 201
    assert response.json()["lead"]["emails"] == addresses
    assert world.snapshot() == before


def test_plan_never_holds_events_of_another_tenant(world: World, intruder: ApiClient) -> None:
    ids = {"ids": [str(world.event.id)]}
    for selection in ({"status": "processed"}, {"status": "processed", **ids}):
        body = {"selection": selection}
        assert intruder.post("/api/replays", body).json()["selected"] == 0
        assert world.api.post("/api/replays", body).json()["selected"] > 0


def test_batch_replay_never_selects_events_of_another_tenant(
    world: World, intruder: ApiClient
) -> None:
    Event.unscoped.update(status="failed")
    before = world.snapshot()
    assert intruder.post("/api/events/replay/batch").json()["selected"] == 0
    assert world.snapshot() == before
    assert world.api.post("/api/events/replay/batch").json()["selected"] > 0


def test_cursor_of_another_tenant_opens_nothing(world: World, intruder: ApiClient) -> None:
    with tenant_context(world.tenant):
        create_lead(name="Zanzibar Second")
    following = world.api.get("/api/leads?limit=1").json()["next"]
    assert intruder.results(following.removeprefix("http://testserver")) == []


def test_key_of_one_tenant_beside_the_session_of_another_is_the_keys(
    world: World, intruder: ApiClient
) -> None:
    intruder.client.force_login(world.user)
    assert intruder.results("/api/leads") == []


def test_rows_made_through_the_api_belong_to_the_caller(world: World, intruder: ApiClient) -> None:
    lead_id = UUID(intruder.post("/api/leads", {"name": "Mine"}).json()["id"])
    assert Lead.unscoped.get(pk=lead_id).tenant.slug == "intruder"
    assert {event.tenant.slug for event in Event.unscoped.filter(subject_id=lead_id)} == {
        "intruder"
    }
    assert not Conversation.unscoped.filter(tenant__slug="intruder").exists()
