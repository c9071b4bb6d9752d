"""Replays over HTTP, step by step: planned, started, paused, resumed, cancelled, watched."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from events.models import AuditLine, Event, FailureGroup, Replay
from events.replays import advance_running_replays
from events.testing import handler_of
from salesflow.accounts.models import Membership, Tenant
from tests.api.clients import ApiClient, fields_of
from tests.events.factories import make_events
from tests.events.switches import Switch
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def switch() -> Iterator[Switch]:
    switch = Switch()
    with handler_of("thing.happened", function=switch, name="switch"):
        yield switch


@pytest.fixture
def failed(tenant: Tenant, switch: Switch, settle_events: Callable[[], int]) -> list[Event]:
    """Five events at which the switch failed."""
    events = make_events(5)
    settle_events()
    return events


def plan(api: ApiClient, **selection: Any) -> Any:
    response = api.post("/api/replays", {"selection": selection or {"status": "failed"}})
    assert response.status_code == 201
    return response.json()


def test_plan_is_exact_frozen_and_runs_nothing(
    api: ApiClient, failed: list[Event], settle_events: Callable[[], int]
) -> None:
    told = plan(api, type="thing.happened")
    assert (told["status"], told["selected"]) == ("planned", 5)
    assert told["plan"] == {
        "types": {"thing.happened": 5},
        "handlers": {"switch": 5},
        "left_out": {},
        "runs": 5,
        "skipped": {},
    }
    make_events(2)
    settle_events()
    advance_running_replays()
    again = api.get(f"/api/replays/{told['id']}").json()
    assert (again["status"], again["progress"]["waiting"]) == ("planned", 5)


def test_planned_replay_is_started_watched_and_told(
    api: ApiClient, failed: list[Event], switch: Switch, settle_events: Callable[[], int]
) -> None:
    replay = plan(api, group=str(FailureGroup.unscoped.get().fingerprint))["id"]
    switch.on = True
    body = {"reason": "switched on", "canary": True, "pace": 1000, "stop_percent": 20}
    started = api.post(f"/api/replays/{replay}/start", body).json()
    assert (started["status"], started["canary"], started["pace"]) == ("running", True, 1000)
    for _step in range(4):
        advance_running_replays()
        settle_events()
    advance_running_replays()
    told = api.get(f"/api/replays/{replay}").json()
    assert (told["status"], told["progress"]["succeeded"]) == ("finished", 5)
    items = api.results(f"/api/replays/{replay}/items?status=succeeded")
    assert [item["event"] for item in items] == [str(event.pk) for event in failed]
    assert [each["id"] for each in api.results("/api/replays?status=finished")] == [replay]


def test_replay_that_stopped_by_itself_says_why(
    api: ApiClient, failed: list[Event], settle_events: Callable[[], int]
) -> None:
    replay = plan(api)["id"]
    api.post(f"/api/replays/{replay}/start", {"reason": "hope", "canary": True})
    advance_running_replays()
    settle_events()
    advance_running_replays()
    told = api.get(f"/api/replays/{replay}").json()
    assert (told["status"], told["progress"]["waiting"]) == ("stopped", 4)
    assert "The failure came back" in told["stopped_because"]
    for empty in ({}, {"reason": " "}):
        refused = api.post(f"/api/replays/{replay}/resume", empty)
        assert (refused.status_code, list(fields_of(refused))) == (400, ["reason"])
    resumed = api.post(f"/api/replays/{replay}/resume", {"reason": "deployed"})
    assert resumed.json()["status"] == "running"


def test_acts_are_done_once_and_stay_on_record(api: ApiClient, failed: list[Event]) -> None:
    replay = plan(api)["id"]
    for act, status in (
        ("start", "running"),
        ("pause", "paused"),
        ("resume", "running"),
        ("cancel", "cancelled"),
    ):
        done = api.post(f"/api/replays/{replay}/{act}", {"reason": act})
        assert (done.status_code, done.json()["status"]) == (200, status)
        late = api.post(f"/api/replays/{replay}/{act}", {"reason": "again"})
        assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")
        assert "faster" in late.json()["error"]["message"]
    reasons = AuditLine.objects.order_by("id").values_list("reason", flat=True)
    assert list(reasons) == ["start", "pause", "resume", "cancel"]


def test_repeated_post_with_a_key_is_one_plan(api: ApiClient, failed: list[Event]) -> None:
    body = {"selection": {"status": "failed"}}
    answers = [api.post("/api/replays", body, **{"Idempotency-Key": "once"}) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert Replay.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "selection"),
        ({"selection": {}}, "selection.non_field_errors"),
        ({"selection": {"statsu": "failed"}}, "selection.statsu"),
        ({"selection": {"status": "done"}}, "selection.status"),
        ({"selection": {"ids": []}}, "selection.ids"),
        ({"selection": {"ids": ["1"]}}, "selection.ids.0"),
        ({"selection": {"group": "first"}}, "selection.group"),
        ({"selection": {"status": "failed"}, "handlers": ["nobody"]}, "handlers"),
        ({"selection": {"status": "failed"}, "reason": "not yet"}, "reason"),
    ],
)
def test_wrong_plan_is_named_and_nothing_is_frozen(
    api: ApiClient, failed: list[Event], body: Any, field: str
) -> None:
    response = api.post("/api/replays", body)
    assert response.status_code == 400
    assert list(fields_of(response)) == [field]
    assert not Replay.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": "x", "pace": 0}, "pace"),
        ({"reason": "x", "stop_percent": 100}, "stop_percent"),
        ({"reason": "x", "canary": "perhaps"}, "canary"),
        ({"reason": "x", "handlers": ["nobody"]}, "handlers"),
        ({"reason": "x", "speed": 1}, "speed"),
    ],
)
def test_wrong_start_is_named_and_nothing_runs(
    api: ApiClient, failed: list[Event], body: Any, field: str
) -> None:
    replay = plan(api)["id"]
    response = api.post(f"/api/replays/{replay}/start", body)
    assert response.status_code == 400
    assert list(fields_of(response)) == [field]
    assert Replay.objects.get().status == "planned"


def test_rep_may_watch_and_do_nothing(tenant: Tenant, failed: list[Event]) -> None:
    manager = ApiClient(user=make_user(tenant, Membership.Role.MANAGER))
    rep = ApiClient(user=make_user(tenant, Membership.Role.REP))
    replay = plan(manager)["id"]
    assert rep.post("/api/replays", {"selection": {"status": "failed"}}).status_code == 403
    for act in ("start", "pause", "resume", "cancel"):
        assert rep.post(f"/api/replays/{replay}/{act}", {"reason": "x"}).status_code == 403
    assert rep.get(f"/api/replays/{replay}").status_code == 200
    assert len(rep.results("/api/replays")) == 1
