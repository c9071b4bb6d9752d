"""Nobody gets more of the engine's API than allowed: every route, with a request that works."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from salesflow.accounts.models import Membership, Tenant
from salesflow.api import ROUTES
from tests.access import (
    CORRECTION,
    EVERYTHING,
    GIVE_UP,
    SECRET,
    SUPERUSER,
    Acme,
    Attempt,
    Effect,
    Trial,
    all_but,
    kept,
    make_person,
    text_of,
    undone,
    with_acme,
)
from tests.api.clients import ApiClient, api_of
from tests.factories import make_tenant
from tests.staff import make_superuser

ANYBODY: tuple[str, ...] = ()
TRIAGE, REPLAY, EDIT = ("triage_failuregroup",), ("replay_event",), ("correct_event",)
EXTERNAL = (*REPLAY, "replay_external")
# What managers, admins and keys may do by what they are.
BY_ROLE = {*TRIAGE, *REPLAY}
CHANGES, TELLS, OPENS = Effect.CHANGES, Effect.TELLS, Effect.OPENS
METHODS = ("get", "post", "put", "patch", "delete")

pytestmark = pytest.mark.django_db


# --- What is tried ------------------------------------------------------------------------------


def get(name: str, effect: Effect = TELLS, **given: Any) -> Attempt:
    """A member reads something."""
    return Attempt(f"api-{name}", ANYBODY, effect, **given)


def post(name: str, needs: Any, body: Any = None, **given: Any) -> Attempt:
    """Somebody does something.

    Args:
        body: what is sent; or what makes it, of acme.
    """
    made = body if callable(body) else lambda _acme: body or {}
    return Attempt(f"api-{name}", needs, CHANGES, form=made, **given)


def replay(status: str, **given: Any) -> Any:
    """Makes a replay of acme's; see `Acme.replay`."""
    return lambda acme: acme.replay(status, **given)


def with_replay(acme: Acme) -> str:
    """There is a replay of acme's to be seen."""
    acme.replay("running")
    return ""


def group(acme: Acme) -> Any:
    return acme.group.fingerprint


def event(acme: Acme) -> Any:
    return acme.event.pk


def greet(_acme: Acme) -> str:
    return "greet"


def ids(acme: Acme) -> dict[str, Any]:
    return {"selection": {"ids": [str(acme.event.pk)]}}


def corrected(acme: Acme) -> dict[str, Any]:
    return {"payload": {**acme.event.payload, "owner": "Ada"}, "reason": "a typo"}


MENDED, OUTSIDE = {"reason": "mended"}, {"include_external": True}

ATTEMPTS = [
    get("events"),
    get("events-pending", OPENS),
    get("event", row=event),
    get("failures"),
    get("failure", row=group),
    get("handlers", OPENS),
    get("replays", query=with_replay),
    get("replay", row=replay("running")),
    get("replay-items", OPENS, row=replay("running")),
    post("failure-triage", TRIAGE, {"state": "muted"}, row=group),
    post("handler-pause", SUPERUSER, {"reason": "broken"}, row=greet),
    post("handler-resume", SUPERUSER, row=lambda acme: acme.paused("greet")),
    post("event-correct", EDIT, corrected, row=event),
    post(
        "event-correct",
        (*EDIT, *EXTERNAL),
        lambda acme: corrected(acme) | OUTSIDE,
        row=event,
        label="external",
    ),
    post("event-replay", REPLAY, MENDED, row=event),
    post("event-replay", EXTERNAL, MENDED | OUTSIDE, row=event, label="external"),
    post("events-replay", REPLAY, MENDED),
    post("events-replay", EXTERNAL, MENDED | OUTSIDE, label="external"),
    post("replays", REPLAY, ids),
    post("replays", REPLAY, lambda acme: ids(acme) | {"kind": "give_up"}, label="give up"),
    post("replay-start", REPLAY, MENDED, row=replay("planned")),
    post("replay-start", EXTERNAL, MENDED | OUTSIDE, row=replay("planned"), label="external"),
    post(
        "replay-start",
        (*REPLAY, *EDIT),
        MENDED,
        row=replay("planned", kind=CORRECTION),
        label="correction",
    ),
    post("replay-start", REPLAY, MENDED, row=replay("planned", kind=GIVE_UP), label="give up"),
    post("replay-pause", REPLAY, row=replay("running")),
    post("replay-resume", REPLAY, row=replay("paused")),
    post("replay-resume", REPLAY, MENDED, row=replay("stopped"), label="stopped"),
    post("replay-resume", EXTERNAL, row=replay("paused", external=True), label="external"),
    post("replay-resume", REPLAY, row=replay("paused", kind=GIVE_UP), label="giving up"),
    post(
        "replay-resume",
        (*REPLAY, *EDIT),
        row=replay("paused", kind=CORRECTION),
        label="correction",
    ),
    *(
        post("replay-cancel", REPLAY, row=replay(status), label=status)
        for status in ("planned", "running", "paused", "stopped")
    ),
]

every_attempt = pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)


# --- Trying -------------------------------------------------------------------------------------


acme = pytest.fixture(with_acme)


class Tried(Trial):
    """A request about a row of acme's."""

    def by(self, client: ApiClient) -> Any:
        """The answer to who makes it."""
        if self.form is None:
            return client.get(self.url)
        return client.post(self.url, self.form)

    def works_for(self, client: ApiClient) -> None:
        """See that it does what it should; that is undone then."""
        with undone():
            response = self.by(client)
            assert response.status_code in (200, 201, 202), text_of(response)
            if self.attempt.effect is not CHANGES:
                assert (SECRET in text_of(response)) == (self.attempt.effect is TELLS)
            assert (kept() != self.before) == (self.attempt.effect is CHANGES)

    def is_refused_to(self, client: ApiClient, *statuses: int) -> None:
        """See that nothing comes of it, and that the answer says so."""
        with undone():
            response = self.by(client)
            assert response.status_code in statuses, text_of(response)
            assert SECRET not in text_of(response)
            assert kept() == self.before


def member(tenant: Tenant, may: Any = (), role: str = Membership.Role.REP) -> ApiClient:
    """A member of a tenant who is logged in."""
    return ApiClient(user=make_person(tenant, may=may, role=role))


# --- People -------------------------------------------------------------------------------------


def test_every_route_is_tried() -> None:
    """Whoever adds one, or a method, says here what it does, and who may."""
    tried = {(each.name, "get" if each.form is None else "post") for each in ATTEMPTS}
    assert tried == set(engine_routes())


def engine_routes() -> Iterator[tuple[str, str]]:
    """All routes of the engine with their methods."""
    for route in ROUTES:
        view = route.callback.view_class
        if view.__module__.startswith("events."):
            yield from ((route.name, method) for method in METHODS if hasattr(view, method))


@every_attempt
def test_attempt_works_for_who_may_and_for_nobody_else(acme: Acme, attempt: Attempt) -> None:
    tried = Tried(attempt, acme)
    if attempt.needs is SUPERUSER:
        tried.works_for(ApiClient(user=make_superuser()))
        tried.is_refused_to(member(acme.tenant, EVERYTHING, Membership.Role.ADMIN), 403)
        return
    tried.works_for(member(acme.tenant, attempt.needs))
    for permission in attempt.needs:
        tried.is_refused_to(member(acme.tenant, all_but(permission)), 403)


@every_attempt
def test_roles_and_keys_do_what_they_may_by_what_they_are(acme: Acme, attempt: Attempt) -> None:
    tried, role = Tried(attempt, acme), Membership.Role
    leaders = [member(acme.tenant, role=each) for each in (role.MANAGER, role.ADMIN)]
    for client in (*leaders, api_of(acme.tenant)):
        if set(attempt.needs) <= BY_ROLE:
            tried.works_for(client)
        else:
            tried.is_refused_to(client, 401, 403)


@every_attempt
def test_rep_and_viewer_read_and_no_more(acme: Acme, attempt: Attempt) -> None:
    tried = Tried(attempt, acme)
    for client in (member(acme.tenant), member(acme.tenant, ["view_event", "view_alertrule"])):
        if attempt.needs == ANYBODY:
            tried.works_for(client)
        else:
            tried.is_refused_to(client, 403)


@every_attempt
def test_who_is_no_member_gets_nothing(acme: Acme, attempt: Attempt) -> None:
    tried = Tried(attempt, acme)
    nobody = ApiClient(user=make_person(may=EVERYTHING, is_staff=True))
    for client in (ApiClient(), ApiClient("sf_made-up"), nobody):
        tried.is_refused_to(client, 401, 403)


@every_attempt
def test_another_tenant_finds_nothing(acme: Acme, attempt: Attempt) -> None:
    tried, elsewhere = Tried(attempt, acme), make_tenant()
    before = kept(but_of=elsewhere)
    for client in (member(elsewhere, EVERYTHING, Membership.Role.ADMIN), api_of(elsewhere)):
        with undone():
            response = tried.by(client)
            assert SECRET not in text_of(response)
            assert kept(but_of=elsewhere) == before
        if attempt.needs is SUPERUSER:
            assert response.status_code in (401, 403)
        elif tried.is_about_a_row:
            # Of who may not do it anywhere, nobody looks what it would be done with.
            is_refused = isinstance(client, ApiClient) and bool(client.headers)
            assert response.status_code == 404 or (is_refused and response.status_code == 403)
        else:
            assert response.status_code < 500


@pytest.mark.parametrize("attempt", [each for each in ATTEMPTS if each.form], ids=str)
def test_request_of_another_site_does_nothing(acme: Acme, attempt: Attempt) -> None:
    """A browser that is logged in sends it, and knows no token of our pages."""
    tried, forger = Tried(attempt, acme), ApiClient()
    forger.client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    is_root = attempt.needs is SUPERUSER
    user = make_superuser() if is_root else make_person(acme.tenant, may=attempt.needs)
    forger.client.force_login(user)
    tried.is_refused_to(forger, 403)
