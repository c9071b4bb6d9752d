"""What the API says of events whose handler is paused."""

from collections.abc import Callable
from typing import Any

import pytest

from events.models import Delivery, Event
from events.pauses import let_go, pause_handler, resume_handler
from events.testing import handler_of
from tests.api.clients import ApiClient
from tests.events.factories import make_event
from tests.events.switches import Switch

pytestmark = pytest.mark.django_db(transaction=True)
TYPE = "thing.happened"


def delivery_of(api: ApiClient, event: Event) -> dict[str, Any]:
    [delivery] = api.get(f"/api/events/{event.pk}").json()["deliveries"]
    return dict(delivery)


def test_delivery_that_waits_for_a_paused_handler_says_so_and_has_no_time(
    api: ApiClient, settle_events: Callable[[], int]
) -> None:
    switch = Switch()
    switch.on = True
    with handler_of(TYPE, function=switch, name="greet"):
        pause_handler("greet", actor=None, reason="the index is being rebuilt")
        event = make_event()
        settle_events()
        told = delivery_of(api, event)
        assert (told["status"], told["waits_for"]) == ("pending", "paused_handler")
        assert told["next_attempt_at"] is None
        assert "9999" not in api.get(f"/api/events/{event.pk}").content.decode()
        resume_handler("greet", actor=None)
        let_go()
        settle_events()
    told = delivery_of(api, event)
    assert (told["status"], told["waits_for"]) == ("succeeded", None)


def test_external_delivery_waits_for_its_paused_handler_and_else_for_its_time(
    api: ApiClient,
) -> None:
    event = make_event()
    Delivery.objects.create(
        event=event, handler="mails", tenant=event.tenant, next_attempt_at=event.due_at
    )
    with handler_of(TYPE, function=print, name="mails", effects="external"):
        told = delivery_of(api, event)
        assert told["waits_for"] is None
        assert told["next_attempt_at"]
        pause_handler("mails", actor=None, reason="the service is moving")
        told = delivery_of(api, event)
        assert (told["waits_for"], told["next_attempt_at"]) == ("paused_handler", None)
