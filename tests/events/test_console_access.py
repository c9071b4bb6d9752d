"""Nobody gets more of the console than allowed: every address, opened and posted to by force.

What is tried is a form that works, filled in as a page would: see `tests.access`.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import URLPattern, reverse

from salesflow.accounts.models import User
from tests.access import (
    EVERYTHING,
    MASKED,
    NOBODY,
    SECRET,
    SUPERUSER,
    Acme,
    Attempt,
    Trial,
    all_but,
    kept,
    make_person,
    text_of,
    undone,
    with_acme,
)
from tests.events.attempts import ATTEMPTS, CHANGES, TELLS, VIEW
from tests.factories import make_api_key, make_tenant
from tests.staff import client_of, make_superuser

pytestmark = pytest.mark.django_db

every_attempt = pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)


# --- Trying -------------------------------------------------------------------------------------


acme = pytest.fixture(with_acme)


class Tried(Trial):
    """A page that is opened, or a form that is sent."""

    namespace = "admin:"

    def by(self, client: Client) -> Any:
        """The answer to who makes it."""
        if self.form is None:
            return client.get(self.url)
        return client.post(self.url, self.form)

    def is_refused_to(self, client: Client, *, with_login: bool = False) -> None:
        """See that nothing comes of it, and that the answer says so.

        Args:
            with_login: somebody else is asked to log in.
        """
        with undone():
            response = self.by(client)
            if with_login:
                assert response.status_code == 302
                assert response["Location"].startswith(reverse("admin:login"))
            else:
                assert response.status_code == 403, (response.status_code, response)
            assert SECRET not in text_of(response)
            assert kept() == self.before


# --- People -------------------------------------------------------------------------------------


def test_every_address_is_tried() -> None:
    """Whoever adds one says here what it does, and who may."""
    assert {attempt.name for attempt in ATTEMPTS} == {each.name for each in console_patterns()}


def console_patterns(patterns: Any = None) -> Iterator[URLPattern]:
    """All addresses of the admin whose names say that they are the console's."""
    for pattern in patterns or admin.site.get_urls():
        if hasattr(pattern, "url_patterns"):
            yield from console_patterns(pattern.url_patterns)
        elif (pattern.name or "").startswith("events_"):
            yield pattern


@every_attempt
def test_attempt_works_for_who_may(acme: Acme, attempt: Attempt) -> None:
    """Else its refusal would prove nothing."""
    tried = Tried(attempt, acme)
    with undone():
        response = tried.by(client_of(permitted(acme, attempt)))
        if attempt.needs is NOBODY:
            assert response.status_code == 403
            return
        assert response.status_code in (200, 302), text_of(response)
        assert MASKED not in text_of(response)
        assert (SECRET in text_of(response)) == (attempt.effect is TELLS)
        assert (kept() != tried.before) == (attempt.effect is CHANGES)


def permitted(acme: Acme, attempt: Attempt) -> User:
    """Somebody who may do what is tried, and as little else as can be."""
    if attempt.needs in (SUPERUSER, NOBODY):
        return make_superuser()
    return make_person(acme.tenant, may=attempt.needs, is_staff=True)


@every_attempt
def test_who_is_no_staff_is_asked_to_log_in(acme: Acme, attempt: Attempt) -> None:
    tried = Tried(attempt, acme)
    key = {"Authorization": f"Api-Key {make_api_key(acme.tenant)}"}
    for client in (
        Client(),
        Client(headers=key),
        client_of(make_person(acme.tenant)),
        client_of(make_person(acme.tenant, may=EVERYTHING, role="admin")),
    ):
        tried.is_refused_to(client, with_login=True)


@every_attempt
def test_each_permission_is_wanted(acme: Acme, attempt: Attempt) -> None:
    tried, unreachable = Tried(attempt, acme), attempt.needs in (SUPERUSER, NOBODY)
    sets = [EVERYTHING] if unreachable else [all_but(permission) for permission in attempt.needs]
    for may in sets:
        tried.is_refused_to(client_of(make_person(acme.tenant, may=may, is_staff=True)))


@every_attempt
def test_viewer_opens_what_can_be_seen_and_no_more(acme: Acme, attempt: Attempt) -> None:
    tried, looks = Tried(attempt, acme), {"view_event", "view_alertrule"}
    viewer = client_of(make_person(acme.tenant, may=looks, is_staff=True))
    if set(attempt.needs) <= looks:
        assert tried.by(viewer).status_code == 200
        viewer.post(tried.url, EVERYTHING_AT_ONCE)
        assert kept() == tried.before
    else:
        tried.is_refused_to(viewer)


# For addresses that take no form at all.
EVERYTHING_AT_ONCE = {
    **dict.fromkeys(["confirm", "post", "start", "plan", "pause", "resume", "cancel"], "yes"),
    **dict.fromkeys(["reason", "name", "note"], "forged"),
    "verb": "resolve",
    "act": "cancel",
    "action": "pause",
    "status": "processed",
}


@every_attempt
def test_staff_of_another_tenant_finds_nothing(acme: Acme, attempt: Attempt) -> None:
    tried, elsewhere = Tried(attempt, acme), make_tenant()
    before = kept(but_of=elsewhere)
    stranger = client_of(make_person(elsewhere, may=EVERYTHING, is_staff=True))
    with undone():
        response = tried.by(stranger)
        assert SECRET not in text_of(response)
        assert kept(but_of=elsewhere) == before
    if attempt.needs in (SUPERUSER, NOBODY):
        assert response.status_code == 403
    elif tried.is_about_a_row:
        # Django's own pages go back to where one came from, and say that there is no such row.
        back = urlsplit(response.get("Location", "")).path
        assert response.status_code == 404 or back == reverse("admin:index")
    else:
        assert response.status_code in (200, 302)


@pytest.mark.parametrize("attempt", [each for each in ATTEMPTS if each.form], ids=str)
def test_form_of_another_site_does_nothing(acme: Acme, attempt: Attempt) -> None:
    """Neither posted without the token of our pages, nor as an address that somebody opens."""
    tried, user = Tried(attempt, acme), permitted(acme, attempt)
    forger = Client(enforce_csrf_checks=True)
    forger.force_login(user)
    tried.is_refused_to(forger)
    with undone():
        client_of(user).get(tried.url, tried.form)
        assert kept() == tried.before


def test_ticked_rules_are_deleted_by_who_may(acme: Acme) -> None:
    """To others the list does not offer it, and shows itself again."""
    url, before = reverse("admin:events_alertrule_changelist"), kept()
    form = {"action": "delete_selected", ACTION_CHECKBOX_NAME: str(acme.rule.pk), "post": "yes"}
    with undone():
        may = ["view_alertrule", "delete_alertrule"]
        client_of(make_person(acme.tenant, may=may, is_staff=True)).post(url, form)
        assert kept() != before
    without = make_person(acme.tenant, may=all_but("delete_alertrule"), is_staff=True)
    stranger = make_person(make_tenant(), may=EVERYTHING, is_staff=True)
    for user in (without, stranger):
        client_of(user).post(url, form)
        assert kept() == before


@pytest.mark.parametrize(
    "query",
    [
        "status=failed",
        "type={event.type}",
        "handler=greet",
        "status=failed&handler=mails",
        "group={group.fingerprint}",
        "ids={event.pk}",
        "subject={event.subject_id}",
        "source={event.source}",
        "tenant={tenant.pk}",
        "recorded_after=2026-01-01",
    ],
)
def test_no_filter_finds_or_counts_what_is_another_tenants(acme: Acme, query: str) -> None:
    """Each kind is served by an index of its own, hence by a query of its own."""
    url = f"{reverse('admin:events_event_changelist')}?{query.format(**vars(acme))}"
    for tenant, number in ((acme.tenant, "1"), (make_tenant(), "0")):
        page = client_of(make_person(tenant, may=VIEW, is_staff=True)).get(url)
        assert page.context["counted"] == number
        assert (SECRET in text_of(page)) == (number == "1")


# --- What pages say -----------------------------------------------------------------------------


def test_first_page_tells_the_log_to_who_may_see_events(acme: Acme) -> None:
    url = reverse("admin:index")
    for may, told in ((set(VIEW), True), (all_but(*VIEW), False)):
        client = client_of(make_person(acme.tenant, may=may, is_staff=True))
        assert (SECRET in text_of(client.get(url))) == told
    stranger = make_person(make_tenant(), may=EVERYTHING, is_staff=True)
    assert SECRET not in text_of(client_of(stranger).get(url))


def test_buttons_that_may_not_be_pressed_say_what_they_want(acme: Acme) -> None:
    client = client_of(make_person(acme.tenant, may=VIEW, is_staff=True))
    replays, edits = "Can replay events", "Can edit events and replay them"
    pages = {
        reverse("admin:events_event_changelist"): [replays],
        reverse("admin:events_event_change", args=[acme.event.pk]): [replays, edits],
        reverse("admin:events_failure", args=[acme.group.fingerprint]): [
            replays,
            "Can triage failure groups",
        ],
    }
    for url, wanted in pages.items():
        page = text_of(client.get(url))
        for name in wanted:
            assert f"This needs the permission “{name}”." in page, (url, name)
