"""Plans over HTTP: at once or in the background, and what a start may choose of them."""

from collections.abc import Callable

import pytest
from django.db.models import F

from events.models import Delivery, Event, Replay
from events.replays.filling import fill_plans
from events.replays.planning import MOST_AT_ONCE
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, fields_of
from tests.events.factories import make_events
from tests.events.switches import Switch

pytestmark = pytest.mark.django_db(transaction=True)
TYPE = "thing.happened"


def test_large_selection_is_planned_in_the_background(api: ApiClient, tenant: Tenant) -> None:
    make_events(MOST_AT_ONCE + 1)
    Event.unscoped.update(status="failed", processed_at=F("created_at"))
    Delivery.objects.bulk_create(
        Delivery(event_id=event_id, handler="switch", status="failed", attempts=1)
        for event_id in Event.unscoped.values_list("pk", flat=True)
    )
    with handler_of(TYPE, function=Switch()):
        answer = api.post("/api/replays", {"selection": {"status": "failed"}})
        told = answer.json()
        assert (answer.status_code, told["status"], told["selected"]) == (202, "planning", 0)
        early = api.post(f"/api/replays/{told['id']}/start", {"reason": "too early"})
        assert early.status_code == 409
        fill_plans()
        told = api.get(f"/api/replays/{told['id']}").json()
    assert (told["status"], told["selected"]) == ("planned", MOST_AT_ONCE + 1)
    assert told["plan"]["handlers"] == {"switch": MOST_AT_ONCE + 1}
    assert told["plan"]["runs"] == MOST_AT_ONCE + 1


def test_start_runs_no_handler_that_the_plan_did_not_name(
    api: ApiClient, tenant: Tenant, settle_events: Callable[[], int]
) -> None:
    first, second = Switch(), Switch()
    first.on = second.on = True
    with (
        handler_of(TYPE, function=first, name="first"),
        handler_of(TYPE, function=second, name="second"),
    ):
        make_events(2)
        settle_events()
        body = {"selection": {"status": "processed"}, "handlers": ["first"]}
        told = api.post("/api/replays", body).json()
        assert (told["plan"]["handlers"], told["plan"]["runs"]) == ({"first": 2}, 2)
        start = f"/api/replays/{told['id']}/start"
        refused = api.post(start, {"reason": "again", "handlers": ["second"]})
    assert refused.status_code == 400
    assert list(fields_of(refused)) == ["handlers"]
    assert Replay.objects.get().status == "planned"
