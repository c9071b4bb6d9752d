"""One's own account: name, language, time zone, password."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from salesflow.accounts.models import Tenant, User
from tests.factories import make_user
from tests.leads.factories import make_lead
from tests.web import browser_of, page_of

PROFILE, LANGUAGE = "accounts:profile", "set_language"


@pytest.fixture
def user(tenant: Tenant) -> User:
    """A member of the tenant."""
    return make_user(tenant, name="Ada")


@pytest.fixture
def browser(user: User) -> Client:
    """Their browser."""
    return browser_of(user)


def test_profile_is_saved(browser: Client, user: User) -> None:
    given = {"name": "Ada B.", "language": "de", "time_zone": "Asia/Tokyo"}
    response = browser.post(reverse(PROFILE), given, follow=True)
    user.refresh_from_db()
    assert (user.name, user.language, user.time_zone) == ("Ada B.", "de", "Asia/Tokyo")
    assert page_of(response).all("html")[0]["lang"] == "de"


@pytest.mark.parametrize(
    ("field", "value"), [("name", ""), ("language", "xx"), ("time_zone", "Mars/Base")]
)
def test_what_is_wrong_is_said_at_its_field(
    browser: Client, user: User, field: str, value: str
) -> None:
    given = {"name": "Changed", "language": "", "time_zone": "", field: value}
    response = browser.post(reverse(PROFILE), given)
    assert field in response.context["form"].errors
    user.refresh_from_db()
    assert user.name == "Ada"
    assert "Changed" not in page_of(response).text


def test_times_are_those_of_the_person_else_of_the_team(tenant: Tenant, user: User) -> None:
    tenant.time_zone = "Europe/Berlin"
    tenant.save()
    make_lead(created_at=datetime(2026, 1, 1, 12, tzinfo=UTC))
    lead = make_lead(created_at=datetime(2026, 1, 1, 23, 30, tzinfo=UTC))
    page = reverse("leads:detail", args=[lead.pk])
    assert "2026-01-02T00:30:00+01:00" in browser_of(user).get(page).content.decode()
    user.time_zone = "America/New_York"
    user.save()
    assert "2026-01-01T18:30:00-05:00" in browser_of(user).get(page).content.decode()


def test_language_is_kept_for_the_person(browser: Client, user: User) -> None:
    there = reverse("leads:list")
    response = browser.post(reverse(LANGUAGE), {"language": "de", "next": there})
    assert response.headers["Location"] == there
    user.refresh_from_db()
    assert user.language == "de"
    assert page_of(browser.get(there)).all("html")[0]["lang"] == "de"
    browser.post(reverse(LANGUAGE), {"language": "xx"})
    user.refresh_from_db()
    assert user.language == "de"
    assert browser.get(reverse(LANGUAGE)).status_code == 405
    translation.activate("en")


def test_language_is_kept_for_the_browser_of_a_stranger(db: None) -> None:
    stranger = Client()
    stranger.post(reverse(LANGUAGE), {"language": "de", "next": reverse("login")})
    assert page_of(stranger.get(reverse("login"))).all("html")[0]["lang"] == "de"


def test_password_is_changed_and_other_browsers_are_logged_out(browser: Client, user: User) -> None:
    elsewhere = browser_of(user)
    new = "a-much-better-one"
    given = {"old_password": "secret-password", "new_password1": new, "new_password2": new}
    response = browser.post(reverse("accounts:password"), given)
    assert response.headers["Location"] == reverse(PROFILE)
    assert browser.get(reverse(PROFILE)).status_code == 200
    assert elsewhere.get(reverse(PROFILE)).status_code == 302
    user.refresh_from_db()
    assert user.check_password(new)


@pytest.mark.parametrize(
    ("field", "value"),
    [("old_password", "wrong"), ("new_password2", "another"), ("new_password2", "password")],
)
def test_a_password_that_cannot_be_is_refused(
    browser: Client, user: User, field: str, value: str
) -> None:
    new = "password" if value == "password" else "a-much-better-one"
    given = {"old_password": "secret-password", "new_password1": new, "new_password2": new}
    response = browser.post(reverse("accounts:password"), given | {field: value})
    assert field in response.context["form"].errors
    page_of(response)
    user.refresh_from_db()
    assert user.check_password("secret-password")
