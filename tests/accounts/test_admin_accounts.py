"""What people do with tenants, users and API keys in the admin."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from leads.models import Pipeline
from salesflow.accounts.models import ApiKey, Membership, Tenant, User
from tests.accounts.test_admin_scope import memberships, person_form, url_of
from tests.factories import make_api_key, make_tenant, make_user
from tests.staff import client_of, make_superuser, said_on

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Client:
    """The browser of a superuser."""
    return client_of(make_superuser())


def test_new_user_logs_in_by_e_mail_in_any_case(root: Client) -> None:
    tenant = make_tenant("acme")
    form = {
        "email": "Grace@Example.com",
        "name": "Grace",
        "password1": "correct-horse-9",
        "password2": "correct-horse-9",
        **memberships(tenant),
    }
    assert root.post(reverse("admin:accounts_user_add"), form).status_code == 302
    assert Client().login(username="grace@example.COM", password="correct-horse-9")
    person = User.objects.get(email="grace@example.com")
    assert Membership.unscoped.filter(user=person, tenant=tenant, role="rep").exists()


def test_address_that_is_taken_is_refused_in_any_case(root: Client) -> None:
    person = make_user(email="grace@example.com")
    other = make_user()
    response = root.post(url_of(other, "change"), person_form(other, email="GRACE@example.com"))
    assert "email" in response.context["adminform"].form.errors
    assert person.email == "grace@example.com"


def test_password_is_changed(root: Client) -> None:
    person = make_user()
    url = reverse("admin:auth_user_password_change", args=[person.pk])
    new = {"password1": "correct-horse-9", "password2": "correct-horse-9"}
    assert root.post(url, new).status_code == 302
    person.refresh_from_db()
    assert person.check_password("correct-horse-9")


def test_memberships_of_several_tenants_are_edited_together(root: Client) -> None:
    acme, globex = make_tenant("acme"), make_tenant("globex")
    person = make_user(acme)
    known = Membership.unscoped.get(user=person)
    form = person_form(person, **memberships(acme, globex, known=1))
    form |= {"memberships-0-id": known.pk, "memberships-0-role": "admin"}
    response = root.post(url_of(person, "change"), form)
    assert response.status_code == 302
    rows = Membership.unscoped.filter(user=person).order_by("tenant__slug")
    assert [(row.tenant, row.role) for row in rows] == [(acme, "admin"), (globex, "rep")]


def test_second_membership_in_a_tenant_is_refused(root: Client) -> None:
    acme = make_tenant("acme")
    person = make_user(acme)
    known = Membership.unscoped.get(user=person)
    form = person_form(person, **memberships(acme, acme, known=1))
    form |= {"memberships-0-id": known.pk}
    assert root.post(url_of(person, "change"), form).status_code == 200
    assert Membership.unscoped.filter(user=person).count() == 1


def test_new_tenant_has_a_pipeline(root: Client) -> None:
    form = {"name": "Hooli", "slug": "hooli", "language": "de", "time_zone": "Europe/Berlin"}
    assert root.post(reverse("admin:accounts_tenant_add"), form).status_code == 302
    tenant = Tenant.objects.get(slug="hooli")
    assert Pipeline.unscoped.filter(tenant=tenant, is_default=True).exists()


def test_wrong_time_zone_is_named(root: Client) -> None:
    form = {"name": "Hooli", "slug": "hooli", "language": "de", "time_zone": "Mars/Base"}
    response = root.post(reverse("admin:accounts_tenant_add"), form)
    assert list(response.context["adminform"].form.errors) == ["time_zone"]


def issue(root: Client, tenant: Tenant, **fields: Any) -> str:
    """The key that the admin shows once."""
    form = {"tenant": tenant.pk, "name": "Zapier", **fields}
    response = root.post(reverse("admin:accounts_apikey_add"), form, follow=True)
    shown = re.search(r'class="api-key">([^<]+)<', said_on(response))
    assert shown
    return shown[1]


def test_issued_key_opens_the_api_and_is_shown_once(root: Client) -> None:
    tenant = make_tenant("acme")
    key = issue(root, tenant)
    answer = Client().get("/api/leads", headers={"Authorization": f"Api-Key {key}"})
    assert answer.status_code == 200
    row = ApiKey.objects.get(name="Zapier")
    assert row.created_by is not None
    assert key not in root.get(url_of(row, "change")).content.decode()
    assert key not in root.get(url_of(row, "changelist")).content.decode()


def test_waiting_message_with_a_key_cannot_be_read_by_scripts(root: Client) -> None:
    form = {"tenant": make_tenant("acme").pk, "name": "Zapier"}
    response = root.post(reverse("admin:accounts_apikey_add"), form)
    cookie = response.cookies.get("messages")
    assert cookie is None or cookie["httponly"]


def test_revoked_key_opens_nothing(root: Client) -> None:
    tenant = make_tenant("acme")
    key = make_api_key(tenant)
    row = ApiKey.objects.get()
    form = {"action": "revoke", "_selected_action": row.pk}
    response = root.post(url_of(row, "changelist"), form, follow=True)
    assert "1 key was revoked" in said_on(response)
    answer = Client().get("/api/leads", headers={"Authorization": f"Api-Key {key}"})
    assert answer.status_code in (401, 403)


def test_revoked_key_stays_revoked(root: Client) -> None:
    make_api_key(make_tenant("acme"))
    row = ApiKey.objects.get()
    root.post(url_of(row, "changelist"), {"action": "revoke", "_selected_action": row.pk})
    root.post(url_of(row, "change"), {"name": "Back again"})
    row.refresh_from_db()
    assert (row.revoked, row.name) == (True, "tests")


def test_keys_are_never_deleted(root: Client) -> None:
    make_api_key(make_tenant("acme"))
    row = ApiKey.objects.get()
    assert root.post(url_of(row, "delete"), {"post": "yes"}).status_code == 403
    assert ApiKey.objects.exists()


def test_results_of_tasks_and_the_librarys_keys_are_hidden(root: Client) -> None:
    page = root.get(reverse("admin:index")).content.decode()
    assert "django_celery_results" not in page
    assert "rest_framework_api_key" not in page


def test_pages_load_nothing_from_elsewhere(root: Client) -> None:
    page = root.get(reverse("admin:index")).content.decode()
    foreign = re.findall(r'(?:src|href)="((?:https?:)?//[^"]+)"', page)
    assert foreign == []
