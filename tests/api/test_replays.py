from collections.abc import Callable, Iterator
from typing import Any

import pytest

from events.models import Event, Replay, ReplayItem
from events.replays import advance_running_replays
from events.testing import handler_of
from leads.services import create_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Membership, Tenant
from tests.api.clients import ApiClient, fields_of
from tests.events.factories import make_event, make_events
from tests.events.switches import Switch
from tests.factories import make_tenant, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def switch() -> Iterator[Switch]:
    switch = Switch()
    with handler_of("thing.happened", function=switch, name="switch"):
        yield switch


def test_failed_event_tells_who_failed_and_why(
    api: ApiClient, switch: Switch, settle_events: Callable[[], int]
) -> None:
    event = make_event()
    settle_events()
    told = api.get(f"/api/events/{event.id}").json()
    assert told["status"] == "failed"
    assert told["error_message"] == "switch: RuntimeError: the switch is off"
    [delivery] = told["deliveries"]
    assert (delivery["handler"], delivery["status"], delivery["attempt_count"]) == (
        "switch",
        "failed",
        1,
    )
    [attempt] = delivery["attempts"]
    assert (attempt["number"], attempt["error_type"]) == (1, "RuntimeError")
    assert "Traceback" not in str(told)


def test_replayed_event_is_processed_once_the_handler_works(
    api: ApiClient, switch: Switch, settle_events: Callable[[], int]
) -> None:
    event = make_event()
    settle_events()
    switch.on = True
    response = api.post(f"/api/events/{event.id}/replay", {"reason": "switched on"})
    assert response.status_code == 202
    started = response.json()
    assert started == {"replay": started["replay"], "selected": 1}
    settle_events()
    assert api.get(f"/api/events/{event.id}").json()["status"] == "processed"
    assert switch.handled == [event.id]
    told = api.get(f"/api/replays/{started['replay']}").json()
    assert (told["reason"], told["progress"]["succeeded"]) == ("switched on", 1)


def test_replay_needs_no_body(
    api: ApiClient, switch: Switch, settle_events: Callable[[], int]
) -> None:
    event = make_event()
    settle_events()
    assert api.post(f"/api/events/{event.id}/replay/").status_code == 202


def test_replay_of_what_did_not_fail_says_so(
    api: ApiClient, switch: Switch, settle_events: Callable[[], int]
) -> None:
    switch.on = True
    event = make_event()
    settle_events()
    replay = api.post(f"/api/events/{event.id}/replay").json()["replay"]
    told = api.get(f"/api/replays/{replay}").json()
    assert told["progress"]["skipped"] == 1
    assert told["skipped"] == {"nothing to run: no handler of this event failed": 1}
    assert told["status"] == "finished"


def test_named_handler_runs_again_although_it_succeeded(
    api: ApiClient, switch: Switch, settle_events: Callable[[], int]
) -> None:
    switch.on = True
    event = make_event()
    settle_events()
    api.post(f"/api/events/{event.id}/replay", {"handlers": ["switch"]})
    settle_events()
    assert switch.handled == [event.id, event.id]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"handlers": ["no_such_handler"]}, "handlers"),
        ({"handlers": "switch"}, "handlers"),
        ({"handlers": [1]}, "handlers.0"),
        ({"reason": 5}, "reason"),
        ({"reason": "x" * 2001}, "reason"),
        ({"include_external": "perhaps"}, "include_external"),
        ({"include_externals": True}, "include_externals"),
    ],
)
def test_wrong_option_is_named_and_nothing_is_replayed(
    api: ApiClient, switch: Switch, settle_events: Callable[[], int], body: Any, field: str
) -> None:
    event = make_event()
    settle_events()
    for path in (f"/api/events/{event.id}/replay", "/api/events/replay/batch"):
        response = api.post(path, body)
        assert response.status_code == 400
        assert list(fields_of(response)) == [field]
    assert not Replay.objects.exists()


def test_batch_replays_the_oldest_failed_events_of_a_type(
    api: ApiClient, switch: Switch, settle_events: Callable[[], int]
) -> None:
    events = make_events(5)
    create_lead(name="Ada")
    settle_events()
    switch.on = True
    response = api.post(
        "/api/events/replay/batch?event_type=thing.happened&limit=3", {"reason": "switched on"}
    )
    assert response.status_code == 202
    assert response.json()["selected"] == 3
    advance_running_replays()
    settle_events()
    assert switch.handled == [event.id for event in events[:3]]
    assert len(api.results("/api/events?status=failed")) == 2


def test_batch_takes_failed_events_of_its_tenant_alone(
    api: ApiClient, switch: Switch, settle_events: Callable[[], int]
) -> None:
    make_event()
    other = make_tenant("other")
    with tenant_context(other):
        make_events(3)
    settle_events()
    replay = api.post("/api/events/replay/batch").json()
    assert replay["selected"] == 1
    ids = ReplayItem.objects.values_list("event_id", flat=True)
    assert list(ids) == [Event.objects.get().id]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("type=thing.happened", "type"),
        ("event_type=thing.hapened", "event_type"),
        ("event_type=", "event_type"),
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=all", "limit"),
        ("limit=", "limit"),
        ("status=done", "status"),
        ("cursor=abc", "cursor"),
    ],
)
def test_slip_in_a_batch_replays_nothing(
    api: ApiClient, switch: Switch, settle_events: Callable[[], int], query: str, field: str
) -> None:
    make_event()
    settle_events()
    response = api.post(f"/api/events/replay/batch?{query}")
    assert response.status_code == 400
    assert list(fields_of(response)) == [field]
    assert not Replay.objects.exists()


def test_rep_may_not_replay_and_a_manager_may(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int]
) -> None:
    event = make_event()
    settle_events()
    rep = ApiClient(user=make_user(tenant, Membership.Role.REP))
    manager = ApiClient(user=make_user(tenant, Membership.Role.MANAGER))
    for path in (f"/api/events/{event.id}/replay", "/api/events/replay/batch"):
        assert rep.post(path).status_code == 403
        assert manager.post(path).status_code == 202
    assert rep.get(f"/api/events/{event.id}").status_code == 200


def test_person_who_replays_stays_on_record(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int]
) -> None:
    event = make_event()
    settle_events()
    manager = make_user(tenant, Membership.Role.MANAGER)
    replay = ApiClient(user=manager).post(f"/api/events/{event.id}/replay").json()["replay"]
    assert Replay.objects.get(pk=replay).actor_id == manager.pk


def test_unknown_event_and_replay_are_not_found(api: ApiClient) -> None:
    assert api.post(f"/api/events/{uuid7()}/replay").status_code == 404
    assert api.get(f"/api/events/{uuid7()}").status_code == 404
    assert api.get(f"/api/replays/{uuid7()}").status_code == 404
    assert api.get("/api/events/5").status_code == 404


def test_event_is_told_in_four_queries_whatever_its_history(
    api: ApiClient, switch: Switch, settle_events: Callable[[], int], django_assert_num_queries: Any
) -> None:
    event = make_event()
    settle_events()
    for _number in range(3):
        api.post(f"/api/events/{event.id}/replay")
        settle_events()
    with django_assert_num_queries(4):
        api.get(f"/api/events/{event.id}")
