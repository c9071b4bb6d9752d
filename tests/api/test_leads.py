from decimal import Decimal
from typing import Any

import pytest

from events.models import Event
from leads.models import Lead
from leads.services import create_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, fields_of
from tests.factories import make_tenant, make_user

pytestmark = pytest.mark.django_db


def test_created_lead_is_told_as_it_was_written(api: ApiClient, tenant: Tenant) -> None:
    owner = make_user(tenant)
    response = api.post(
        "/api/leads",
        {
            "name": " Ada Lovelace ",
            "company": "Engines",
            "title": "Countess",
            "emails": ["Ada@Example.com", "lovelace@example.com"],
            "phones": ["+49 30 901820"],
            "owner": owner.email.upper(),
            "source": "fair",
            "value": "1250.5",
            "currency": "eur",
            "tags": ["vip", "math"],
            "custom_fields": {"seats": 3, "nested": {"deep": [1, None]}},
            "external_id": "crm-1",
            "stage": "qualified",
        },
    )
    assert response.status_code == 201
    lead = response.json()
    assert lead["name"] == "Ada Lovelace"
    assert lead["emails"] == ["ada@example.com", "lovelace@example.com"]
    assert lead["phones"] == ["+4930901820"]
    assert lead["owner"] == {"id": owner.pk, "name": owner.name, "email": owner.email}
    assert lead["value"] == "1250.50"
    assert lead["currency"] == "EUR"
    assert lead["tags"] == ["vip", "math"]
    assert lead["custom_fields"] == {"seats": 3, "nested": {"deep": [1, None]}}
    assert lead["stage"]["name"] == "Qualified"
    assert lead["outcome"] == "open"
    assert api.get(f"/api/leads/{lead['id']}").json() == lead


def test_lead_of_the_api_has_that_source(api: ApiClient) -> None:
    assert api.post("/api/leads", {"name": "Ada"}).json()["source"] == "api"


@pytest.mark.parametrize("value", ["10.10", 10.1, "10.1"])
def test_value_is_taken_as_text_and_as_number(api: ApiClient, value: Any) -> None:
    lead = api.post("/api/leads", {"name": "Ada", "value": value}).json()
    assert lead["value"] == "10.10"


WRONG = [
    ({}, "name"),
    ({"name": 5}, "name"),
    ({"name": None}, "name"),
    ({"name": ["Ada"]}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "Ada", "colour": "red"}, "colour"),
    ({"name": "Ada", "id": "00000000-0000-0000-0000-000000000000"}, "id"),
    ({"name": "Ada", "outcome": "won"}, "outcome"),
    ({"name": "Ada", "emails": "ada@example.com"}, "emails"),
    ({"name": "Ada", "emails": ["ada"]}, "emails"),
    ({"name": "Ada", "emails": [5]}, "emails.0"),
    ({"name": "Ada", "phones": ["12"]}, "phones"),
    ({"name": "Ada", "owner": 424242}, "owner"),
    ({"name": "Ada", "owner": 10**30}, "owner"),
    ({"name": "Ada", "owner": True}, "owner"),
    ({"name": "Ada", "owner": {"id": 1}}, "owner"),
    ({"name": "Ada", "owner": "nobody@example.com"}, "owner"),
    ({"name": "Ada", "value": "a lot"}, "value"),
    ({"name": "Ada", "value": True}, "value"),
    ({"name": "Ada", "value": -1}, "value"),
    ({"name": "Ada", "value": "1.234"}, "value"),
    ({"name": "Ada", "value": "9" * 30}, "value"),
    ({"name": "Ada", "value": []}, "value"),
    ({"name": "Ada", "currency": "EURO"}, "currency"),
    ({"name": "Ada", "currency": "1€x"}, "currency"),
    ({"name": "Ada", "tags": "vip"}, "tags"),
    ({"name": "Ada", "tags": [{"a": 1}]}, "tags.0"),
    ({"name": "Ada", "tags": ["x" * 51]}, "tags"),
    ({"name": "Ada", "custom_fields": []}, "custom_fields"),
    ({"name": "Ada", "custom_fields": None}, "custom_fields"),
    ({"name": "Ada", "external_id": "x" * 201}, "external_id"),
    ({"name": "Ada", "source": "x" * 51}, "source"),
    ({"name": "Ada", "source": ""}, "source"),
    ({"name": "Ada", "stage": "Nirvana"}, "stage"),
    ({"name": "Ada", "stage": "00000000-0000-0000-0000-000000000000"}, "stage"),
    ({"name": "Ada", "stage": None}, "stage"),
    ({"name": "Ada", "stage": "Lost"}, "lost_reason"),
    ({"name": "Ada", "lost_reason": "no budget"}, "lost_reason"),
    ({"name": "Ada", "stage": "Lost", "lost_reason": "x" * 501}, "lost_reason"),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
def test_wrong_field_is_named_and_nothing_is_written(api: ApiClient, body: Any, field: str) -> None:
    response = api.post("/api/leads", body)
    assert response.status_code == 400, response.content
    assert field in fields_of(response)
    assert not Lead.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize("body", [[], "Ada", 5, None, True])
def test_body_that_is_no_object_is_refused(api: ApiClient, body: Any) -> None:
    response = api.post("/api/leads", body if body is not None else b"null")
    assert response.status_code == 400
    assert fields_of(response)


def test_all_wrong_fields_are_named_at_once(api: ApiClient) -> None:
    response = api.post("/api/leads", {"colour": "red", "size": 3, "name": 5, "value": "a lot"})
    assert set(fields_of(response)) == {"colour", "size", "name", "value"}


def test_contact_point_of_another_lead_is_refused(api: ApiClient) -> None:
    api.post("/api/leads", {"name": "Ada", "emails": ["ada@example.com"]})
    response = api.post("/api/leads", {"name": "Imposter", "emails": ["ADA@example.com"]})
    assert response.status_code == 400
    assert "Ada" in fields_of(response)["emails"][0]
    assert Lead.objects.count() == 1


def test_external_id_of_another_lead_is_refused(api: ApiClient) -> None:
    api.post("/api/leads", {"name": "Ada", "external_id": "1"})
    assert "external_id" in fields_of(api.post("/api/leads", {"name": "B", "external_id": "1"}))


def test_patch_changes_what_it_names_and_leaves_the_rest(api: ApiClient) -> None:
    lead = api.post("/api/leads", {"name": "Ada", "company": "Engines", "tags": ["vip"]}).json()
    response = api.patch(f"/api/leads/{lead['id']}", {"company": "Analytical", "value": 5})
    assert response.status_code == 200
    changed = response.json()
    assert changed["company"] == "Analytical"
    assert changed["value"] == "5.00"
    assert changed["name"] == "Ada"
    assert changed["tags"] == ["vip"]


def test_patch_of_stage_moves_wins_and_loses(api: ApiClient) -> None:
    path = f"/api/leads/{api.post('/api/leads', {'name': 'Ada'}).json()['id']}"
    assert api.patch(path, {"stage": "Proposal"}).json()["outcome"] == "open"
    won = api.patch(path, {"stage": "Won"}).json()
    assert won["outcome"] == "won"
    assert won["closed_at"]
    assert fields_of(api.patch(path, {"stage": "Lost"})).keys() == {"lost_reason"}
    lost = api.patch(path, {"stage": "Lost", "lost_reason": "no budget"}).json()
    assert (lost["outcome"], lost["lost_reason"]) == ("lost", "no budget")
    types = Event.objects.order_by("position").values_list("type", flat=True)
    assert list(types) == [
        "lead.created",
        "lead.stage_changed",
        "lead.stage_changed",
        "lead.won",
        "lead.stage_changed",
        "lead.lost",
    ]


def test_reason_of_a_lost_lead_is_not_changed_silently(api: ApiClient) -> None:
    body = {"name": "Ada", "stage": "Lost", "lost_reason": "no budget"}
    path = f"/api/leads/{api.post('/api/leads', body).json()['id']}"
    response = api.patch(path, {"stage": "Lost", "lost_reason": "another"})
    assert "lost_reason" in fields_of(response)
    assert api.patch(path, {"stage": "Lost", "lost_reason": "no budget"}).status_code == 200


def test_patch_with_one_wrong_field_changes_nothing(api: ApiClient) -> None:
    path = f"/api/leads/{api.post('/api/leads', {'name': 'Ada'}).json()['id']}"
    before = Event.objects.count()
    response = api.patch(path, {"name": "Bob", "stage": "Lost"})
    assert "lost_reason" in fields_of(response)
    assert api.get(path).json()["name"] == "Ada"
    assert Event.objects.count() == before


def test_owner_is_given_by_id_and_taken_away_by_null(api: ApiClient, tenant: Tenant) -> None:
    owner = make_user(tenant)
    path = f"/api/leads/{api.post('/api/leads', {'name': 'Ada'}).json()['id']}"
    assert api.patch(path, {"owner": owner.pk}).json()["owner"]["email"] == owner.email
    assert api.patch(path, {"owner": None}).json()["owner"] is None


def test_colleague_of_another_tenant_cannot_own(api: ApiClient) -> None:
    elsewhere = make_tenant("elsewhere")
    with tenant_context(elsewhere):
        foreigner = make_user(elsewhere)
    for owner in (foreigner.pk, foreigner.email):
        assert "owner" in fields_of(api.post("/api/leads", {"name": "Ada", "owner": owner}))


def test_stage_of_another_tenant_is_unknown(api: ApiClient) -> None:
    elsewhere = make_tenant("elsewhere")
    with tenant_context(elsewhere):
        stage = create_lead(name="Theirs").stage
    assert "stage" in fields_of(api.post("/api/leads", {"name": "Ada", "stage": str(stage.id)}))


def test_deleted_lead_is_gone_and_its_events_stay(api: ApiClient) -> None:
    lead_id = api.post("/api/leads", {"name": "Ada"}).json()["id"]
    response = api.delete(f"/api/leads/{lead_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert api.get(f"/api/leads/{lead_id}").status_code == 404
    assert api.delete(f"/api/leads/{lead_id}").status_code == 404
    types = [event["type"] for event in api.results(f"/api/events?subject={lead_id}")]
    assert types == ["lead.deleted", "lead.created"]


def test_request_id_is_on_the_answer_and_on_the_events(api: ApiClient) -> None:
    response = api.post("/api/leads", {"name": "Ada"}, X_Request_ID="my-request-1")
    assert response["X-Request-ID"] == "my-request-1"
    [event] = api.results("/api/events?request_id=my-request-1")
    assert (event["type"], event["source"]) == ("lead.created", "api")


def test_person_is_the_actor_of_what_they_change(tenant: Tenant) -> None:
    user = make_user(tenant)
    assert ApiClient(user=user).post("/api/leads", {"name": "Ada"}).status_code == 201
    assert Event.objects.get().actor_id == user.pk


def test_history_is_told_last_first(api: ApiClient) -> None:
    lead_id = api.post("/api/leads", {"name": "Ada"}).json()["id"]
    for stage in ("Qualified", "Proposal", "Won"):
        api.patch(f"/api/leads/{lead_id}", {"stage": stage})
    rows = api.walk(f"/api/leads/{lead_id}/events?limit=2")
    types = [row["type"] for row in rows]
    assert types == ["lead.won", *["lead.stage_changed"] * 3, "lead.created"]


def test_note_is_written_and_read(tenant: Tenant) -> None:
    user = make_user(tenant)
    lead = create_lead(name="Ada")
    caller = ApiClient(user=user)
    assert caller.post(f"/api/leads/{lead.id}/notes", {"body": "Call back"}).status_code == 201
    [note] = caller.results(f"/api/leads/{lead.id}/notes")
    assert (note["body"], note["author"]["id"]) == ("Call back", user.pk)
    for body in ({}, {"body": "  "}, {"body": 5}, {"body": "x" * 10_001}):
        assert "body" in fields_of(caller.post(f"/api/leads/{lead.id}/notes", body))


def test_pipelines_come_with_their_stages_in_order(api: ApiClient) -> None:
    [pipeline] = api.results("/api/pipelines")
    names = [stage["name"] for stage in pipeline["stages"]]
    assert names == ["New", "Qualified", "Proposal", "Negotiation", "Won", "Lost"]


def test_amount_survives_the_way_through_the_api_exactly(api: ApiClient) -> None:
    lead = api.post("/api/leads", {"name": "Ada", "value": "999999999999.99"}).json()
    assert Lead.objects.get(pk=lead["id"]).value == Decimal("999999999999.99")
