"""The five permissions hold in the API: what roles and keys may do, and what they may not."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from events.models import Delivery, Event, Replay
from events.replays import advance_running_replays, pause, plan_replay, start
from events.selections import Selection
from events.testing import handler_of
from salesflow.accounts.models import Membership, Tenant
from tests.api.clients import ApiClient, api_of
from tests.events.factories import make_event, make_failed_event, make_failure
from tests.events.switches import Switch
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

Role = Membership.Role
EXTERNAL = "This needs the permission “Can replay with external effects”."
EDIT = "This needs the permission “Can edit events and replay them”."


def caller(tenant: Tenant, who: str, *may: str) -> ApiClient:
    """Somebody with a role, or a key, and what is given to them beside that."""
    if who == "key":
        return api_of(tenant)
    user = make_user(tenant, who)
    user.user_permissions.set(Permission.objects.filter(codename__in=may))
    return ApiClient(user=user)


def refused(response: Any) -> str:
    """Why a request was refused."""
    assert response.status_code == 403, response.content
    error = response.json()["error"]
    assert error["code"] == "permission_denied"
    return str(error["message"])


def planned(kind: str = "replay", patch: Any = None) -> Replay:
    """A plan for all that failed."""
    selection, rows = Selection(status="failed"), Event.objects.all()
    return plan_replay(selection, rows, actor=None, kind=kind, patch=patch)


def ways_to_replay(event: Event) -> dict[str, Any]:
    """Address → body, of everything that runs handlers again."""
    plan = planned()
    return {
        f"/api/events/{event.pk}/replay": {},
        "/api/events/replay/batch": {},
        f"/api/replays/{plan.pk}/start": {"reason": "mended"},
    }


@pytest.fixture
def mails() -> Any:
    """A handler that sends something to somebody."""
    switch = Switch()
    switch.on = True
    with handler_of(
        "thing.happened", function=switch, name="mails", effects="external", on_replay="skip"
    ):
        yield switch


# --- External effects ---------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["key", Role.MANAGER, Role.ADMIN])
def test_no_role_and_no_key_replays_with_external_effects(
    tenant: Tenant, mails: Switch, settle_events: Callable[[], int], who: str
) -> None:
    event = make_failed_event(handlers=["mails"])
    client = caller(tenant, who)
    for path, body in ways_to_replay(event).items():
        assert refused(client.post(path, {**body, "include_external": True})) == EXTERNAL, path
        assert refused(client.post(path, {**body, "include_external": True, "handlers": ["mails"]}))
    assert set(Replay.objects.values_list("status", flat=True)) == {"planned"}
    assert Event.objects.get().status == "failed"
    assert mails.handled == []


@pytest.mark.parametrize("who", ["key", Role.MANAGER, Role.ADMIN])
def test_what_roles_and_keys_replay_leaves_external_handlers_out(
    tenant: Tenant, mails: Switch, settle_events: Callable[[], int], who: str
) -> None:
    event = make_failed_event(handlers=["mails"])
    client = caller(tenant, who)
    for path, body in ways_to_replay(event).items():
        assert client.post(path, {**body, "handlers": ["mails"]}).status_code in (200, 202), path
    advance_running_replays()
    settle_events()
    assert mails.handled == []
    assert Delivery.objects.get(event=event).status == "failed"


@pytest.mark.parametrize("may", [(), ("replay_event",), ("replay_external",)])
def test_rep_needs_both_permissions_for_external_effects(
    tenant: Tenant, mails: Switch, may: tuple[str, ...]
) -> None:
    event = make_failed_event(handlers=["mails"])
    client = caller(tenant, Role.REP, *may)
    assert refused(client.post(f"/api/events/{event.pk}/replay", {"include_external": True}))


@pytest.mark.parametrize(
    ("who", "may"),
    [(Role.MANAGER, ["replay_external"]), (Role.REP, ["replay_event", "replay_external"])],
)
def test_who_has_the_permission_replays_with_external_effects(
    tenant: Tenant, mails: Switch, settle_events: Callable[[], int], who: str, may: list[str]
) -> None:
    event = make_failed_event(handlers=["mails"])
    response = caller(tenant, who, *may).post(
        f"/api/events/{event.pk}/replay", {"include_external": True, "reason": "mended"}
    )
    assert response.status_code == 202
    settle_events()
    assert mails.handled == [event.pk]


@pytest.mark.parametrize("who", ["key", Role.MANAGER])
def test_replay_with_external_effects_is_paused_by_all_and_resumed_by_who_may(
    tenant: Tenant, mails: Switch, who: str
) -> None:
    make_failed_event(handlers=["mails"])
    replay = planned()
    start(replay, actor=None, reason="mended", include_external=True)
    path = f"/api/replays/{replay.pk}"
    client = caller(tenant, who)
    assert client.post(f"{path}/pause").status_code == 200
    assert refused(client.post(f"{path}/resume")) == EXTERNAL
    assert Replay.objects.get().status == "paused"
    sender = caller(tenant, Role.MANAGER, "replay_external")
    assert sender.post(f"{path}/resume").status_code == 200
    assert client.post(f"{path}/cancel").status_code == 200


# --- Editing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["key", Role.REP, Role.MANAGER, Role.ADMIN])
def test_no_role_and_no_key_corrects(tenant: Tenant, who: str) -> None:
    event = make_failed_event()
    body = {"payload": {**event.payload, "number": 14}, "reason": "a typo"}
    assert refused(caller(tenant, who).post(f"/api/events/{event.pk}/correct", body)) == EDIT
    assert not Event.objects.filter(corrects_id=event.pk).exists()


@pytest.mark.parametrize("declared", ["run", "skip"])
def test_editor_reaches_nobody_outside_without_the_other_permission(
    tenant: Tenant, declared: str
) -> None:
    """To whoever is called a correction is something new, whatever holds for a replay."""
    event = make_failed_event(handlers=["picky", "mails"])
    body = {"payload": {**event.payload, "number": 14}, "reason": "a typo"}
    path = f"/api/events/{event.pk}/correct"
    with handler_of(
        "thing.happened", function=print, name="mails", effects="external", on_replay=declared
    ):
        editor = caller(tenant, Role.MANAGER, "correct_event")
        assert refused(editor.post(path, {**body, "include_external": True})) == EXTERNAL
        assert editor.post(path, body).status_code == 201
    correction = Event.objects.get(corrects_id=event.pk)
    assert correction.deliveries.get(handler="mails").status == "skipped"
    assert correction.deliveries.get(handler="picky").status == "pending"


@pytest.mark.parametrize("act", ["start", "resume"])
def test_planned_correction_is_run_by_who_may_edit(tenant: Tenant, act: str) -> None:
    make_failed_event()
    replay = planned("correction", [{"op": "set", "path": "/number", "value": 14}])
    if act == "resume":
        start(replay, actor=None, reason="mended")
        pause(replay, actor=None)
    path, body = f"/api/replays/{replay.pk}/{act}", {"reason": "mended"}
    for who in ("key", Role.MANAGER, Role.ADMIN):
        assert refused(caller(tenant, who).post(path, body)) == EDIT
    editor = caller(tenant, Role.REP, "replay_event", "correct_event")
    assert editor.post(path, body).json()["status"] == "running"


# --- Triage and replay --------------------------------------------------------------------------


def test_reps_read_and_do_what_they_were_given(tenant: Tenant) -> None:
    event = make_event()
    failure = f"/api/failures/{make_failure().fingerprint}"
    replay = f"/api/events/{event.pk}/replay"
    rep = caller(tenant, Role.REP)
    for path in ("/api/events", f"/api/events/{event.pk}", "/api/failures", failure):
        assert rep.get(path).status_code == 200
    assert "“Can replay events”" in refused(rep.post(replay))
    assert "“Can triage failure groups”" in refused(
        rep.post(f"{failure}/triage", {"state": "muted"})
    )
    assert caller(tenant, Role.REP, "replay_event").post(replay).status_code == 202
    muted = caller(tenant, Role.REP, "triage_failuregroup").post(
        f"{failure}/triage", {"state": "muted"}
    )
    assert muted.json()["state"] == "muted"


def test_permission_counts_at_the_tenants_of_its_owner_alone(
    tenant: Tenant, stranger: ApiClient
) -> None:
    event = make_failed_event()
    user = make_user()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="events"))
    body = {"payload": {**event.payload, "number": 14}, "reason": "a typo"}
    for path, given in (("replay", {}), ("correct", body)):
        response = ApiClient(user=user).post(f"/api/events/{event.pk}/{path}", given)
        assert response.status_code == 403
    assert not Replay.objects.exists()
