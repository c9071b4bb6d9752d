from typing import Any

import pytest

from channels.models import Message
from leads.services import create_lead
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, fields_of
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_message_is_queued_with_its_event(api: ApiClient) -> None:
    lead = make_reachable_lead("ada@example.com")
    response = api.post(
        "/api/messages",
        {"lead": str(lead.id), "channel": "email", "subject": "Hello", "body": " Dear Ada\n"},
        X_Request_ID="sending-1",
    )
    assert response.status_code == 202
    message = response.json()
    assert (message["status"], message["direction"]) == ("queued", "outbound")
    assert (message["address"], message["subject"]) == ("ada@example.com", "Hello")
    assert api.get(f"/api/messages/{message['id']}").json() == message
    [event] = api.results("/api/events?request_id=sending-1")
    assert event["type"] == "message.queued"


def test_person_who_sends_is_the_author(tenant: Tenant) -> None:
    user = make_user(tenant)
    body = {"lead": str(make_reachable_lead().id), "channel": "email", "body": "Hi"}
    message = ApiClient(user=user).post("/api/messages", body).json()
    assert message["author"]["id"] == user.pk


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lead": None}, "lead"),
        ({"lead": 5}, "lead"),
        ({"lead": "Ada"}, "lead"),
        ({"lead": str(uuid7())}, "lead"),
        ({"channel": "pigeon"}, "channel"),
        ({"channel": "whatsapp"}, "channel"),
        ({"channel": ["email"]}, "channel"),
        ({"body": ""}, "body"),
        ({"body": 5}, "body"),
        ({"body": "x" * 100_001}, "body"),
        ({"subject": "x" * 201}, "subject"),
        ({"to_address": "eve@example.com"}, "to_address"),
        ({"to": "ada@example.com"}, "to"),
        ({"author": 1}, "author"),
    ],
)
def test_wrong_field_is_named_and_nothing_is_sent(
    api: ApiClient, change: dict[str, Any], field: str
) -> None:
    lead = make_reachable_lead("ada@example.com")
    body = {"lead": str(lead.id), "channel": "email", "body": "Hi", **change}
    response = api.post("/api/messages", body)
    assert response.status_code == 400, response.content
    assert field in fields_of(response)
    assert not Message.objects.exists()


def test_missing_fields_are_named(api: ApiClient) -> None:
    assert set(fields_of(api.post("/api/messages", {}))) == {"lead", "channel", "body"}


def test_conversations_are_narrowed_and_read(api: ApiClient) -> None:
    quiet, busy = make_reachable_lead(), make_reachable_lead(phone="+4930901820")
    make_message(quiet)
    make_inbound_message(busy, body="Any news?")
    rows = api.results("/api/conversations")
    assert [row["lead_id"] for row in rows] == [str(busy.id), str(quiet.id)]
    [row] = api.results(f"/api/conversations?lead={busy.id}&channel=email&state=open")
    assert api.get(f"/api/conversations/{row['id']}").json() == row
    [message] = api.results(f"/api/conversations/{row['id']}/messages")
    assert (message["body"], message["direction"]) == ("Any news?", "inbound")
    assert api.results("/api/conversations?channel=whatsapp") == []
    assert list(fields_of(api.get("/api/conversations?channel=pigeon"))) == ["channel"]


def test_conversations_cost_the_same_whatever_they_show(
    api: ApiClient, django_assert_num_queries: Any
) -> None:
    for _number in range(7):
        make_message()
    message = make_message()
    with django_assert_num_queries(2):
        api.get("/api/conversations")
    with django_assert_num_queries(4):
        api.get(f"/api/conversations/{message.conversation_id}/messages")


def test_lead_with_messages_is_deleted_through_the_api(api: ApiClient) -> None:
    lead = create_lead(name="Ada", emails=["ada@example.com"])
    make_message(lead)
    assert api.delete(f"/api/leads/{lead.id}").status_code == 204
