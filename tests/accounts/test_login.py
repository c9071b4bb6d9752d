"""Logging in and out: by e-mail address, not too fast, and never with a hint who has an account."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from salesflow.accounts.backoff import (
    FREE_TRIES_PER_ACCOUNT,
    FREE_TRIES_PER_ADDRESS,
    LONGEST_WAIT,
    wait_after,
)
from salesflow.accounts.models import LoginBackoff, Tenant, User
from tests.factories import make_user
from tests.web import browser_of, page_of

PASSWORD = "secret-password"


@pytest.fixture
def user(tenant: Tenant) -> User:
    """Somebody with the usual password."""
    return make_user(tenant, email="ada@example.com")


def log_in(email: str, password: str = PASSWORD, *, address: str = "192.0.2.1") -> Any:
    """Try to log in from a network address."""
    given = {"username": email, "password": password}
    return Client().post(reverse("login"), given, REMOTE_ADDR=address)


def said(response: Any) -> str:
    """What the log-in form complains about."""
    return str(response.context["form"].non_field_errors())


def test_log_in_leads_to_where_one_wanted_to_go(user: User) -> None:
    given = {"username": " ADA@example.com", "password": PASSWORD, "next": "/leads/board"}
    assert Client().post(reverse("login"), given).headers["Location"] == "/leads/board"
    away = given | {"next": "https://elsewhere.example/"}
    assert Client().post(reverse("login"), away).headers["Location"] == settings.LOGIN_REDIRECT_URL
    assert browser_of(user).get(reverse("login")).status_code == 302


def test_log_in_page_is_strict_and_accessible(db: None) -> None:
    page_of(Client().get(reverse("login")))
    page_of(Client().post(reverse("login"), {"username": "", "password": ""}))


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
def test_a_wrong_password_says_the_same_for_everybody(user: User, email: str) -> None:
    response = log_in(email, "wrong")
    assert response.status_code == 200
    assert said(response) == said(log_in("somebody@example.com", "wrong"))


def test_who_left_cannot_log_in(user: User) -> None:
    user.is_active = False
    user.save()
    assert "correct" in said(log_in(user.email))


def test_log_out_takes_a_post(user: User) -> None:
    browser = browser_of(user)
    assert browser.get(reverse("logout")).status_code == 405
    assert browser.post(reverse("logout")).headers["Location"] == reverse("login")
    assert browser.get(reverse("leads:list")).status_code == 302


def test_after_some_failures_even_the_right_password_has_to_wait(user: User) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _failure in range(FREE_TRIES_PER_ACCOUNT):
            response = log_in(user.email, "wrong")
        assert "Try again in 2 seconds" in said(response)
        assert "wrong too often" in said(log_in(user.email))
        clock.shift(timedelta(seconds=3))
        assert log_in(user.email).status_code == 302
        assert "wrong too often" not in said(log_in(user.email, "wrong"))


def test_nobody_can_lock_a_colleague_out(user: User) -> None:
    for _failure in range(FREE_TRIES_PER_ACCOUNT):
        log_in(user.email, "wrong", address="192.0.2.66")
    assert log_in(user.email, address="192.0.2.1").status_code == 302


def test_one_address_cannot_try_a_password_on_everybody(user: User) -> None:
    for number in range(FREE_TRIES_PER_ADDRESS):
        log_in(f"user{number}@example.com", "summer")
    assert "wrong too often" in said(log_in(user.email))


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    waits = [wait_after(failures, 5).total_seconds() for failures in (0, 4, 5, 6, 7, 1000)]
    assert waits == [0, 0, 2, 4, 8, LONGEST_WAIT.total_seconds()]


def test_failures_are_forgotten_after_a_day_and_name_nobody(user: User) -> None:
    log_in("typed-a-password-here", "wrong")
    assert "typed" not in str(list(LoginBackoff.objects.values()))
    with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1)):
        log_in(user.email, "wrong")
    assert LoginBackoff.objects.count() == 2


def test_the_proxy_tells_who_it_is_only_when_there_is_one(user: User, settings: Any) -> None:
    forged = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
    given = {"username": "a@example.com", "password": "wrong"}
    keys = []
    for behind in (False, True):
        settings.BEHIND_PROXY = behind
        Client().post(reverse("login"), given, headers=forged)
        keys.append(set(LoginBackoff.objects.values_list("key", flat=True)))
    assert keys[0] < keys[1]


def test_the_admin_waits_as_well(user: User) -> None:
    for _failure in range(FREE_TRIES_PER_ACCOUNT):
        log_in(user.email, "wrong")
    user.is_staff = True
    user.save()
    given = {"username": user.email, "password": PASSWORD}
    response = Client().post(reverse("admin:login"), given, REMOTE_ADDR="192.0.2.1")
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("part", "page", "login"),
    [
        ("admin:events_health", "/admin/events/failures/?state=all&order=last_seen", "admin:login"),
        ("leads:board", "/leads/board?owner=me", "login"),
    ],
)
def test_part_that_refreshes_itself_sends_its_page_to_the_login_once_the_session_is_gone(
    user: User, part: str, page: str, login: str
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}"}
    response = Client().get(reverse(part), headers=headers)
    assert (response.status_code, response.content) == (200, b"")
    where = urlsplit(response["HX-Redirect"])
    assert (where.netloc, where.path) == ("", reverse(login))
    assert parse_qs(where.query) == {"next": [page]}
    user.is_staff = True
    user.save()
    given = {"username": user.email, "password": PASSWORD, "next": page}
    assert Client().post(reverse(login), given)["Location"] == page


def test_page_of_another_site_is_no_page_to_come_back_to(user: User) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://evil.example.com/admin/"}
    response = Client().get(reverse("admin:events_health"), headers=headers)
    assert response["HX-Redirect"] == reverse("admin:login")


def test_page_that_is_opened_without_a_session_is_redirected_as_ever(user: User) -> None:
    response = Client().get(reverse("admin:events_health"))
    assert response.status_code == 302
    assert not response.has_header("HX-Redirect")


def test_redirect_to_anywhere_else_is_left_to_htmx(user: User) -> None:
    response = browser_of(user).get(reverse("home"), headers={"HX-Request": "true"})
    assert response.status_code == 302
