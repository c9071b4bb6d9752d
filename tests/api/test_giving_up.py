"""Giving up over HTTP: planned with the same request as a replay, and started with a reason."""

from collections.abc import Iterator
from typing import Any

import pytest

from events.models import AuditLine, Event, Replay
from events.replays import advance_running_replays
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, fields_of
from tests.events.factories import make_events
from tests.events.switches import Switch

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def failed(tenant: Tenant) -> Iterator[list[Event]]:
    """Three events at which a handler failed."""
    with handler_of("thing.happened", function=Switch(), name="switch"):
        events = make_events(3)
        settle([event.pk for event in events])
        yield events


def plan(api: ApiClient, **given: Any) -> Any:
    """The answer to a plan to give up."""
    body = {"selection": {"status": "failed"}, "kind": "give_up", **given}
    return api.post("/api/replays", body)


def test_failures_are_planned_given_up_and_told(api: ApiClient, failed: list[Event]) -> None:
    answer = plan(api)
    told = answer.json()
    assert (answer.status_code, told["kind"], told["status"]) == (201, "give_up", "planned")
    assert (told["plan"]["handlers"], told["plan"]["runs"]) == ({"switch": 3}, 3)
    url = f"/api/replays/{told['id']}"
    assert api.post(f"{url}/start", {"reason": "nobody will mend it"}).status_code == 200
    advance_running_replays()
    told = api.get(url).json()
    assert (told["status"], told["progress"]["succeeded"]) == ("finished", 3)
    items = api.results(f"{url}/items")
    assert {(item["status"], item["note"]) for item in items} == {("succeeded", "given up: switch")}
    event = api.get(f"/api/events/{failed[0].pk}").json()
    [delivery] = event["deliveries"]
    assert (event["status"], delivery["status"]) == ("processed", "skipped")
    assert (delivery["replay_id"], delivery["attempt_count"]) == (told["id"], 1)
    assert delivery["error"] == "RuntimeError: the switch is off"
    line = AuditLine.objects.get(action="give_up.started")
    assert (line.reason, line.target_id) == ("nobody will mend it", told["id"])


def test_reason_is_required(api: ApiClient, failed: list[Event]) -> None:
    url = f"/api/replays/{plan(api).json()['id']}/start"
    assert list(fields_of(api.post(url, {}))) == ["reason"]
    assert Replay.objects.get().status == "planned"


@pytest.mark.parametrize("how", [{"canary": True}, {"pace": 10}, {"stop_percent": 5}])
def test_way_of_running_is_refused(
    api: ApiClient, failed: list[Event], how: dict[str, Any]
) -> None:
    url = f"/api/replays/{plan(api).json()['id']}/start"
    refused = api.post(url, {"reason": "nobody will mend it", **how})
    assert refused.status_code == 400
    assert "Nothing runs" in str(fields_of(refused))


def test_handler_of_which_the_plan_says_nothing_is_refused(
    api: ApiClient, failed: list[Event]
) -> None:
    with handler_of("thing.happened", function=Switch(), name="other"):
        url = f"/api/replays/{plan(api).json()['id']}/start"
        refused = api.post(url, {"reason": "nobody will mend it", "handlers": ["other"]})
    assert (refused.status_code, list(fields_of(refused))) == (400, ["handlers"])


def test_processed_events_have_nothing_to_give_up(api: ApiClient, failed: list[Event]) -> None:
    refused = plan(api, selection={"status": "processed"})
    assert (refused.status_code, list(fields_of(refused))) == (400, ["status"])


def test_corrections_are_not_planned_here(api: ApiClient, failed: list[Event]) -> None:
    refused = plan(api, kind="correction")
    assert (refused.status_code, list(fields_of(refused))) == (400, ["kind"])


def test_named_handler_alone_is_given_up(api: ApiClient, failed: list[Event]) -> None:
    told = plan(api, selection={"type": "thing.happened"}, handlers=["switch"]).json()
    assert (told["handlers"], told["again"], told["selected"]) == (["switch"], [], 3)


def test_group_is_given_up(api: ApiClient, failed: list[Event]) -> None:
    [failure] = api.results("/api/failures")
    told = plan(api, selection={"group": failure["fingerprint"]}).json()
    api.post(f"/api/replays/{told['id']}/start", {"reason": "nobody will mend it"})
    advance_running_replays()
    [failure] = api.results("/api/failures")
    assert failure["standing"] == 0
