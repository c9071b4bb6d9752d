"""Templates over HTTP: kept, found, and sent filled in."""

from typing import Any

import pytest

from channels.models import AddressStanding, Message, MessageTemplate
from channels.services.consent import opt_in
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Membership, Tenant
from tests.api.clients import ApiClient, fields_of
from tests.channels.factories import make_reachable_lead
from tests.channels.template_factories import make_approved, make_template
from tests.factories import make_tenant, make_user

pytestmark = pytest.mark.django_db

HELLO = {"name": "Hello", "language": "en", "body": "Dear {{ first_name }}, {{ team }}"}


def test_a_template_is_written_read_edited_and_deleted(api: ApiClient) -> None:
    response = api.post("/api/templates", HELLO | {"shortcut": "/hi", "subject": "{{ company }}?"})
    assert response.status_code == 201, response.content
    told = response.json()
    assert (told["name"], told["shortcut"], told["channel"]) == ("Hello", "hi", "")
    assert told["variables"] == ["company", "first_name", "team"]
    assert (told["vendor_status"], told["is_active"]) == ("", True)
    path = f"/api/templates/{told['id']}"
    assert api.get(path).json() == told
    edited = api.patch(path, {"body": "Bye", "is_active": False}).json()
    assert (edited["body"], edited["is_active"], edited["name"]) == ("Bye", False, "Hello")
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_templates_are_listed_by_name_and_narrowed(api: ApiClient) -> None:
    make_template(name="B", language="de")
    make_template(name="B")
    make_template(name="A", channel="email", is_active=False)
    rows = api.results("/api/templates")
    assert [(row["name"], row["language"]) for row in rows] == [
        ("A", "en"),
        ("B", "de"),
        ("B", "en"),
    ]
    assert api.walk("/api/templates?limit=1") == rows
    for query, count in (
        ("name=B", 2),
        ("channel=email", 1),
        ("language=de", 1),
        ("is_active=true", 2),
    ):
        assert len(api.results(f"/api/templates?{query}")) == count, query
    assert list(fields_of(api.get("/api/templates?channel=pigeon"))) == ["channel"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "Taken"}, "name"),
        ({"body": "  "}, "body"),
        ({"body": "{{ shoe_size }}"}, "body"),
        ({"body": "{{ first_name"}, "body"),
        ({"language": "xx"}, "language"),
        ({"channel": "pigeon"}, "channel"),
        ({"shortcut": "no blanks"}, "shortcut"),
        ({"subject": "x", "channel": "whatsapp"}, "subject"),
        ({"vendor_name": "hello"}, "vendor_name"),
        ({"vendor_name": "hello", "channel": "whatsapp"}, "vendor_language"),
        ({"vendor_status": "perhaps"}, "vendor_status"),
        ({"is_active": "perhaps"}, "is_active"),
        ({"id": str(uuid7())}, "id"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_kept(
    api: ApiClient, change: dict[str, Any], field: str
) -> None:
    make_template(name="Taken")
    response = api.post("/api/templates", HELLO | change)
    assert response.status_code == 400, response.content
    assert list(fields_of(response)) == [field]
    kept = make_template(name="Kept")
    response = api.patch(f"/api/templates/{kept.pk}", change)
    assert response.status_code == 400, response.content
    kept.refresh_from_db()
    assert kept.name == "Kept"
    assert MessageTemplate.objects.count() == 2


def test_missing_fields_are_named(api: ApiClient) -> None:
    assert set(fields_of(api.post("/api/templates", {}))) == {"name", "body", "language"}


def test_a_text_that_changes_waits_for_its_approval_again(api: ApiClient) -> None:
    template = make_approved()
    path = f"/api/templates/{template.pk}"
    assert api.patch(path, {"name": "Renamed"}).json()["vendor_status"] == "approved"
    assert api.patch(path, {"body": "Another text"}).json()["vendor_status"] == "pending"


def test_a_template_that_is_posted_twice_with_one_key_is_one(api: ApiClient) -> None:
    answers = [api.post("/api/templates", HELLO, Idempotency_Key="t-1") for _number in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert MessageTemplate.objects.count() == 1


@pytest.mark.parametrize(
    ("role", "status"),
    [(Membership.Role.REP, 403), (Membership.Role.MANAGER, 201), (Membership.Role.ADMIN, 201)],
)
def test_reps_read_templates_and_those_who_lead_write_them(
    tenant: Tenant, role: str, status: int
) -> None:
    known = make_template(name="Known")
    person = ApiClient(user=make_user(tenant, role))
    assert len(person.results("/api/templates")) == 1
    assert person.get(f"/api/templates/{known.pk}").status_code == 200
    assert person.post("/api/templates", HELLO).status_code == status
    may_write = status == 201
    assert (
        person.patch(f"/api/templates/{known.pk}", {"body": "X"}).status_code == 200
    ) is may_write
    assert (person.delete(f"/api/templates/{known.pk}").status_code == 204) is may_write
    assert MessageTemplate.objects.filter(pk=known.pk).exists() is not may_write


def test_a_template_is_sent_filled_in(api: ApiClient) -> None:
    lead = make_reachable_lead(name="Grace Hopper")
    template = make_template(subject="For {{ first_name }}", body="Dear {{ first_name }}!")
    body = {"lead": str(lead.pk), "channel": "email", "template": str(template.pk)}
    response = api.post("/api/messages", body | {"cc": ["Legal@example.com"]}, Idempotency_Key="1")
    assert response.status_code == 202, response.content
    told = response.json()
    assert (told["subject"], told["body"]) == ("For Grace", "Dear Grace!")
    assert told["cc"] == ["legal@example.com"]
    again = api.post("/api/messages", body | {"cc": ["Legal@example.com"]}, Idempotency_Key="1")
    assert again.json() == told
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"template": "x"}, "template"),
        ({"template": 5}, "template"),
        ({"template": None}, "template"),
        ({"template": str(uuid7())}, "template"),
        ({"body": "and a text"}, "body"),
        ({"subject": "and a subject"}, "subject"),
        ({"purpose": "art"}, "purpose"),
    ],
)
def test_a_template_that_cannot_be_sent_so_is_refused(
    api: ApiClient, change: dict[str, Any], field: str
) -> None:
    template, lead = make_template(), make_reachable_lead(name="Grace Hopper")
    body = {"lead": str(lead.pk), "channel": "email", "template": str(template.pk), **change}
    response = api.post("/api/messages", body)
    assert response.status_code == 400
    assert list(fields_of(response)) == [field]
    assert not Message.objects.exists()


def test_what_nobody_knows_is_named(api: ApiClient) -> None:
    template, lead = make_template(body="{{ custom.size }}"), make_reachable_lead()
    body = {"lead": str(lead.pk), "channel": "email", "template": str(template.pk)}
    response = api.post("/api/messages", body)
    assert response.status_code == 400
    [reason] = fields_of(response)["template"]
    assert "custom.size" in reason


def test_another_tenants_template_is_one_that_is_not_there(api: ApiClient) -> None:
    with tenant_context(make_tenant()):
        theirs = make_template(name="Secret")
    body = {"lead": str(make_reachable_lead().pk), "channel": "email", "template": str(theirs.pk)}
    response = api.post("/api/messages", body)
    assert fields_of(response) == {"template": [f"There is no template {theirs.pk}."]}
    assert api.results("/api/templates") == []
    assert api.get(f"/api/templates/{theirs.pk}").status_code == 404


def test_marketing_needs_a_basis(api: ApiClient) -> None:
    lead = make_reachable_lead("grace@example.com")
    body = {"lead": str(lead.pk), "channel": "email", "body": "Buy!", "purpose": "marketing"}
    assert api.post("/api/messages", body).status_code == 400
    opt_in(
        lead,
        channel="email",
        address="grace@example.com",
        source="manual",
        basis="consent",
        proof={},
    )
    assert AddressStanding.objects.exists()
    assert api.post("/api/messages", body).status_code == 202
    assert Message.objects.get().purpose == "marketing"
