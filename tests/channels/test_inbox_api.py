"""Conversations over HTTP: who takes care, and when."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from channels.models import Conversation
from channels.services.conversations import assign_conversation
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant, User
from tests.api.clients import ApiClient, api_of, fields_of
from tests.channels.factories import make_reachable_lead
from tests.channels.inbox_factories import make_conversation

pytestmark = pytest.mark.django_db

LATER = "2099-01-01T08:00:00Z"


@pytest.fixture
def api(tenant: Tenant) -> ApiClient:
    """A caller with a key of the tenant."""
    return api_of(tenant)


def test_a_conversation_is_assigned_snoozed_closed_and_opened(api: ApiClient, rep: User) -> None:
    row = make_conversation()
    path = f"/api/conversations/{row.pk}"
    told = api.patch(path, {"assignee": rep.email}).json()
    assert told["assignee"]["id"] == rep.pk
    told = api.patch(path, {"state": "snoozed", "snoozed_until": LATER}).json()
    assert (told["state"], told["snoozed_until"]) == ("snoozed", LATER)
    told = api.patch(path, {"state": "open", "assignee": None}).json()
    assert (told["state"], told["snoozed_until"], told["assignee"]) == ("open", None, None)
    told = api.patch(path, {"state": "closed"}).json()
    assert (told["state"], told["waiting_since"]) == ("closed", None)
    assert api.get(path).json() == told


def test_a_conversation_is_read(api: ApiClient) -> None:
    row = make_conversation()
    assert api.get(f"/api/conversations/{row.pk}").json()["unread"] == 1
    assert api.post(f"/api/conversations/{row.pk}/read").json()["unread"] == 0
    row.refresh_from_db()
    assert row.unread == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"state": "asleep"}, "state"),
        ({"state": "snoozed"}, "snoozed_until"),
        ({"state": "snoozed", "snoozed_until": "soon"}, "snoozed_until"),
        ({"state": "snoozed", "snoozed_until": "2001-01-01T08:00:00Z"}, "snoozed_until"),
        ({"state": "snoozed", "snoozed_until": "9999-12-31T23:59:59Z"}, "snoozed_until"),
        ({"snoozed_until": LATER}, "state"),
        ({"state": "open", "snoozed_until": LATER}, "state"),
        ({"assignee": "eve@example.com"}, "assignee"),
        ({"assignee": 987654321}, "assignee"),
        ({"unread": 0}, "unread"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_changes(
    api: ApiClient, body: dict[str, Any], field: str
) -> None:
    row = make_conversation()
    response = api.patch(f"/api/conversations/{row.pk}", {"assignee": None, **body})
    assert response.status_code == 400, response.content
    assert field in fields_of(response)
    before = row.changed_at
    row.refresh_from_db()
    assert row.changed_at == before


def test_all_of_a_body_is_done_or_nothing(api: ApiClient, rep: User) -> None:
    row = make_conversation()
    body = {"assignee": rep.pk, "state": "snoozed", "snoozed_until": "2001-01-01T08:00:00Z"}
    assert api.patch(f"/api/conversations/{row.pk}", body).status_code == 400
    row.refresh_from_db()
    assert row.assignee is None


def test_conversations_are_narrowed_by_assignee_and_unread(api: ApiClient, rep: User) -> None:
    mine, nobodys = make_conversation(), make_conversation()
    assign_conversation(mine, rep)
    Conversation.objects.filter(pk=nobodys.pk).update(unread=0)

    def ids(query: str) -> list[str]:
        return [row["id"] for row in api.results(f"/api/conversations?{query}")]

    assert ids(f"assignee={rep.pk}") == ids(f"assignee={rep.email}") == [str(mine.pk)]
    assert ids("assignee=none") == ids("unread=false") == [str(nobodys.pk)]
    assert ids("unread=true") == [str(mine.pk)]
    response = api.get("/api/conversations?assignee=eve@example.com")
    assert list(fields_of(response)) == ["assignee"]


def test_unknown_conversations_are_not_found(api: ApiClient) -> None:
    assert api.patch(f"/api/conversations/{uuid7()}", {"state": "open"}).status_code == 404
    assert api.post(f"/api/conversations/{uuid7()}/read").status_code == 404


def test_a_mail_goes_in_copy_to_others(api: ApiClient) -> None:
    lead = make_reachable_lead()
    body = {"lead": str(lead.pk), "channel": "email", "body": "Hi", "cc": ["Legal@Example.com"]}
    assert api.post("/api/messages", body).json()["cc"] == ["legal@example.com"]
    refused = api.post("/api/messages", body | {"cc": ["nobody"]})
    assert list(fields_of(refused)) == ["cc"]


def test_a_conversation_that_began_long_ago_is_not_dated_today(tenant: Tenant) -> None:
    written = timezone.now() - timedelta(days=400)
    row = make_conversation(received_at=written)
    row.refresh_from_db()
    assert row.last_message_at == written
