"""POST /api/leads/extract: text in, lead out."""

from typing import Any

import pytest

from events.models import Event
from leads.models import Lead, Note
from leads.services import create_lead
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, fields_of
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PATH = "/api/leads/extract"
TEXT = "From: Ada Lovelace <ada@engines.com>\nSubject: Quote\n\nPlease call +1 415 555 2671"


def test_text_becomes_a_lead_with_what_was_found_and_where(api: ApiClient) -> None:
    response = api.post(PATH, {"text": TEXT})
    assert response.status_code == 201
    answer = response.json()
    assert answer["created"] is True and answer["dry_run"] is False
    assert answer["lead"] == api.get(f"/api/leads/{answer['lead']['id']}").json()
    assert answer["lead"]["source"] == "capture"
    said = [
        (f["field"], f["value"], f["rule"], TEXT[f["start"] : f["end"]]) for f in answer["found"]
    ]
    assert said == [
        ("name", "Ada Lovelace", "mail_header", "Ada Lovelace"),
        ("company", "Engines", "mail_domain", "engines"),
        ("email", "ada@engines.com", "address", "ada@engines.com"),
        ("phone", "+14155552671", "number", "+1 415 555 2671"),
    ]
    assert [note["body"] for note in api.results(f"/api/leads/{answer['lead']['id']}/notes")] == [
        TEXT
    ]
    assert set(Event.objects.values_list("type", flat=True)) == {"lead.created", "note.added"}


def test_known_address_answers_its_lead_with_the_text_as_a_note(api: ApiClient) -> None:
    lead = create_lead(name="Ada", emails=["ada@engines.com"])
    response = api.post(PATH, {"text": TEXT, "source": "fair"})
    assert response.status_code == 200
    assert response.json()["created"] is False
    assert response.json()["lead"]["id"] == str(lead.id)
    assert response.json()["lead"]["source"] == "manual"
    assert (Lead.objects.count(), Note.objects.get().lead) == (1, lead)


def test_source_is_the_callers(api: ApiClient) -> None:
    assert api.post(PATH, {"text": TEXT, "source": "fair"}).json()["lead"]["source"] == "fair"


def test_dry_run_tells_and_writes_nothing(api: ApiClient) -> None:
    response = api.post(PATH, {"text": TEXT, "dry_run": True})
    assert response.status_code == 200
    answer = response.json()
    assert (answer["lead"], answer["created"], answer["dry_run"]) == (None, True, True)
    assert len(answer["found"]) == 4
    assert not Lead.objects.exists() and not Event.objects.exists()


def test_dry_run_tells_the_lead_that_would_get_the_note(api: ApiClient) -> None:
    lead = create_lead(name="Ada", emails=["ada@engines.com"])
    answer = api.post(PATH, {"text": TEXT, "dry_run": True}).json()
    assert (answer["lead"]["id"], answer["created"]) == (str(lead.id), False)
    assert not Note.objects.exists()


def test_repeated_request_with_one_key_writes_once(api: ApiClient) -> None:
    first = api.post(PATH, {"text": TEXT}, Idempotency_Key="once")
    again = api.post(PATH, {"text": TEXT}, Idempotency_Key="once")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert Note.objects.count() == 1


def test_note_is_by_the_member_who_is_logged_in(tenant: Tenant) -> None:
    member = make_user(tenant)
    assert ApiClient(user=member).post(PATH, {"text": TEXT}).status_code == 201
    assert Note.objects.get().author == member


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": 5}, "text"),
        ({"text": "Sent from my iPhone"}, "text"),
        ({"text": "budget 5,000 EUR"}, "text"),
        ({"text": "ada@engines.com" + "x " * 10_000}, "text"),
        ({"text": TEXT, "source": ""}, "source"),
        ({"text": TEXT, "source": "x" * 51}, "source"),
        ({"text": TEXT, "dry_run": "perhaps"}, "dry_run"),
        ({"text": TEXT, "name": "Ada"}, "name"),
    ],
)
def test_wrong_request_names_its_field_and_writes_nothing(
    api: ApiClient, body: Any, field: str
) -> None:
    response = api.post(PATH, body)
    assert response.status_code == 400, response.content
    assert list(fields_of(response)) == [field]
    assert not Lead.objects.exists() and not Event.objects.exists()
