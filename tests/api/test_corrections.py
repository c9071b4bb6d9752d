"""Correcting an event over HTTP."""

from typing import Any

import pytest

from events.models import AuditLine, Event
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, fields_of
from tests.events.factories import make_failed_event
from tests.factories import make_tenant
from tests.staff import make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(tenant: Tenant) -> ApiClient:
    """Somebody who may edit."""
    return ApiClient(user=make_staff(tenant, may=["correct_event"]))


@pytest.fixture
def event(tenant: Tenant) -> Event:
    """An event that failed."""
    return make_failed_event()


def corrected(event: Event, **payload: Any) -> dict[str, Any]:
    return {"payload": {**event.payload, **payload}, "reason": "a typo"}


def test_correction_is_answered_as_an_event(api: ApiClient, event: Event) -> None:
    response = api.post(f"/api/events/{event.pk}/correct", corrected(event, number=14))
    told = response.json()
    assert response.status_code == 201
    assert (told["corrects_id"], told["source"]) == (str(event.pk), "api")
    assert (told["payload"]["number"], told["status"]) == (14, "pending")
    assert api.get(f"/api/events/{event.pk}").json()["status"] == "processed"
    assert AuditLine.objects.get().reason == "a typo"


def test_error_names_the_field(api: ApiClient, event: Event) -> None:
    response = api.post(f"/api/events/{event.pk}/correct", corrected(event, number="many"))
    assert response.status_code == 400
    assert "valid integer" in fields_of(response)["number"][0]


def test_reason_and_payload_are_asked_for(api: ApiClient, event: Event) -> None:
    response = api.post(f"/api/events/{event.pk}/correct", {"colour": "red"})
    assert set(fields_of(response)) == {"payload", "reason", "colour"}


def test_second_one_is_told_that_somebody_was_faster(api: ApiClient, event: Event) -> None:
    path = f"/api/events/{event.pk}/correct"
    assert api.post(path, corrected(event, number=14)).status_code == 201
    response = api.post(path, corrected(event, number=15))
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "conflict"
    assert Event.unscoped.filter(corrects_id=event.pk).count() == 1


def test_same_key_corrects_once(api: ApiClient, event: Event) -> None:
    path, body = f"/api/events/{event.pk}/correct", corrected(event, number=14)
    answers = [api.post(path, body, Idempotency_Key="one").json() for _try in range(2)]
    assert answers[0] == answers[1]
    assert Event.unscoped.filter(corrects_id=event.pk).count() == 1


def test_event_of_another_tenant_is_not_there(event: Event) -> None:
    stranger = ApiClient(user=make_staff(make_tenant("other"), may=["correct_event"]))
    response = stranger.post(f"/api/events/{event.pk}/correct", corrected(event, number=14))
    assert response.status_code == 404
    with tenant_context(event.tenant):
        assert Event.objects.get(pk=event.pk).status == "failed"
