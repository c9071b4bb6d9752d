"""Who sees which rows in the admin: every registered page, every kind of person."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.urls import reverse

from events.models import Replay
from leads.services import create_lead
from salesflow.accounts.admin_scope import SuperuserOnly, TenantScope
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import ApiKey, Membership, Tenant, User
from tests.events.factories import make_event
from tests.factories import make_tenant, make_user
from tests.staff import client_of, make_staff, make_superuser

pytestmark = pytest.mark.django_db

VIEWS = [
    f"view_{name}"
    for name in ("tenant", "user", "apikey", "event", "replay", "lead", "pipeline", "group")
]
CHANGES = [
    f"{verb}_{name}"
    for verb in ("add", "change", "delete")
    for name in ("tenant", "user", "membership", "apikey", "event", "replay", "lead", "pipeline")
]


def make_rows(tenant: Tenant) -> dict[str, Any]:
    """One row of every kind, of `tenant`, by the name of its model."""
    with tenant_context(tenant):
        lead = create_lead(name=f"Secret of {tenant.slug}")
        return {
            "tenant": tenant,
            "user": make_user(tenant, name=f"Person of {tenant.slug}"),
            "apikey": ApiKey.issue(tenant=tenant, name=f"Key of {tenant.slug}")[0],
            "event": make_event(),
            "replay": Replay.objects.create(tenant=tenant, reason=f"Reason of {tenant.slug}"),
            "lead": lead,
            "pipeline": lead.stage.pipeline,
        }


def url_of(row: Any, page: str) -> str:
    options = row._meta
    name = f"admin:{options.app_label}_{options.model_name}_{page}"
    return reverse(name, args=[] if page in ("changelist", "add") else [row.pk])


@pytest.fixture
def acme() -> dict[str, Any]:
    """The rows of one tenant."""
    return make_rows(make_tenant("acme"))


@pytest.fixture
def globex() -> dict[str, Any]:
    """The rows of another tenant."""
    return make_rows(make_tenant("globex"))


def test_every_admin_page_has_a_scope() -> None:
    loose = [
        model._meta.label
        for model, page in admin.site._registry.items()
        if not isinstance(page, (TenantScope, SuperuserOnly))
    ]
    assert loose == []


@pytest.mark.parametrize("page", ["changelist", "change", "add", "delete", "history"])
def test_who_is_no_staff_gets_the_login_page(acme: dict[str, Any], page: str) -> None:
    rep = make_user(acme["tenant"])
    for person in (None, rep):
        for row in acme.values():
            response = client_of(person).get(url_of(row, page))
            assert response.status_code == 302
            assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("page", ["changelist", "change", "add", "delete"])
def test_staff_without_permission_is_refused(acme: dict[str, Any], page: str) -> None:
    client = client_of(make_staff(acme["tenant"]))
    statuses = {name: client.get(url_of(row, page)).status_code for name, row in acme.items()}
    assert set(statuses.values()) == {403}


def test_staff_sees_the_rows_of_its_own_tenant(acme: dict[str, Any]) -> None:
    client = client_of(make_staff(acme["tenant"], may=VIEWS))
    for row in acme.values():
        assert client.get(url_of(row, "changelist")).status_code == 200
        assert client.get(url_of(row, "change")).status_code == 200


def test_staff_sees_nothing_of_another_tenant(acme: dict[str, Any], globex: dict[str, Any]) -> None:
    client = client_of(make_staff(globex["tenant"], may=VIEWS + CHANGES))
    for name, row in acme.items():
        page = client.get(url_of(row, "changelist")).content.decode()
        assert url_of(row, "change") not in page, name
        assert "of acme" not in page, name
        for view in ("change", "delete", "history"):
            assert client.get(url_of(row, view)).status_code in (302, 403, 404), (name, view)


def test_forged_posts_of_other_staff_change_nothing(
    acme: dict[str, Any], globex: dict[str, Any]
) -> None:
    client = client_of(make_staff(globex["tenant"], may=VIEWS + CHANGES))
    before = {name: type(row)._base_manager.get(pk=row.pk).__dict__ for name, row in acme.items()}
    for name, row in acme.items():
        forged = {"name": "Taken", "reason": "taken", "post": "yes", "email": "taken@example.com"}
        for view in ("change", "delete"):
            assert client.post(url_of(row, view), forged).status_code in (302, 403, 404), name
        for action in ("delete_selected", "revoke", "make_default", "replay_selected"):
            client.post(
                url_of(row, "changelist"),
                {"action": action, "_selected_action": str(row.pk), "post": "yes"},
            )
    for name, row in acme.items():
        after = type(row)._base_manager.get(pk=row.pk).__dict__
        assert {**after, "_state": 0} == {**before[name], "_state": 0}, name


def test_superuser_sees_all_tenants(acme: dict[str, Any], globex: dict[str, Any]) -> None:
    client = client_of(make_superuser())
    for rows in (acme, globex):
        for row in rows.values():
            assert str(row.pk) in client.get(url_of(row, "changelist")).content.decode()
            assert client.get(url_of(row, "change")).status_code == 200


def test_filters_offer_visible_tenants_only(acme: dict[str, Any], globex: dict[str, Any]) -> None:
    initech = make_tenant("initech")
    client = client_of(make_staff(globex["tenant"], initech, may=VIEWS))
    for name in ("event", "lead", "apikey", "user", "pipeline", "replay"):
        page = client.get(url_of(acme[name], "changelist")).content.decode()
        assert "Initech" in page, name
        assert "Acme" not in page, name
        chosen = client.get(url_of(acme[name], "changelist"), {"tenant": acme["tenant"].pk})
        assert chosen.status_code == 302 or not chosen.context["page"].rows, name


def test_who_sees_one_tenant_gets_no_tenant_column(globex: dict[str, Any]) -> None:
    client = client_of(make_staff(globex["tenant"], may=VIEWS))
    changelist = client.get(url_of(globex["lead"], "changelist")).context["cl"]
    assert "tenant" not in changelist.list_display
    assert not any(spec.parameter_name == "tenant" for spec in changelist.filter_specs)


@pytest.mark.parametrize(
    ("name", "lookup"),
    [
        ("user", "password__startswith"),
        ("user", "memberships__tenant__slug"),
        ("apikey", "hashed_key__startswith"),
        ("event", "payload__contains"),
        ("event", "error_message__icontains"),
        ("lead", "custom_fields__secret"),
    ],
)
def test_addresses_cannot_probe_columns(acme: dict[str, Any], name: str, lookup: str) -> None:
    response = client_of(make_superuser()).get(url_of(acme[name], "changelist"), {lookup: "x"})
    assert response.status_code == 400


def test_unknown_ids_are_not_found(acme: dict[str, Any]) -> None:
    client = client_of(make_superuser())
    for row in acme.values():
        for unknown in (uuid4(), "nonsense", "%00"):
            name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
            assert client.get(reverse(name, args=[unknown])).status_code in (302, 404)


def test_choices_of_a_new_key_are_the_visible_tenants(
    acme: dict[str, Any], globex: dict[str, Any]
) -> None:
    client = client_of(make_staff(globex["tenant"], may=["view_apikey", "add_apikey"]))
    url = url_of(globex["apikey"], "add")
    assert "Acme" not in client.get(url).content.decode()
    response = client.post(url, {"tenant": acme["tenant"].pk, "name": "Forged"})
    assert response.status_code == 200
    assert "tenant" in response.context["adminform"].form.errors
    assert not ApiKey.objects.filter(name="Forged").exists()


# --- People -------------------------------------------------------------------------------------

PEOPLE = ["view_user", "add_user", "change_user", "view_membership", "add_membership"]


def test_staff_changes_its_own_people(globex: dict[str, Any]) -> None:
    client = client_of(make_staff(globex["tenant"], may=PEOPLE))
    person = globex["user"]
    response = client.post(url_of(person, "change"), person_form(person, name="Renamed"))
    assert response.status_code == 302
    person.refresh_from_db()
    assert person.name == "Renamed"


def test_staff_grants_no_rights_by_a_forged_post(globex: dict[str, Any]) -> None:
    client = client_of(make_staff(globex["tenant"], may=PEOPLE))
    person = globex["user"]
    forged = person_form(person, is_superuser="on", is_staff="on", user_permissions=["1"])
    client.post(url_of(person, "change"), forged)
    person.refresh_from_db()
    assert (person.is_superuser, person.is_staff) == (False, False)
    assert not person.user_permissions.exists()


@pytest.mark.parametrize("kind", ["staff", "superuser", "member elsewhere"])
def test_staff_takes_over_nobody_who_may_more(globex: dict[str, Any], kind: str) -> None:
    person = globex["user"]
    if kind == "member elsewhere":
        with tenant_context(make_tenant("hooli")) as hooli:
            Membership.objects.create(user=person, tenant=hooli)
    else:
        User.objects.filter(pk=person.pk).update(**{"is_staff": True, f"is_{kind}": True})
    client = client_of(make_staff(globex["tenant"], may=PEOPLE))
    password = reverse("admin:auth_user_password_change", args=[person.pk])
    taken = {"password1": "taken-over-99", "password2": "taken-over-99"}
    assert client.post(password, taken).status_code == 403
    assert client.post(url_of(person, "change"), person_form(person)).status_code == 403
    person.refresh_from_db()
    assert person.check_password("secret-password")


def test_new_people_of_staff_belong_to_a_visible_tenant(
    acme: dict[str, Any], globex: dict[str, Any]
) -> None:
    client = client_of(make_staff(globex["tenant"], may=PEOPLE))
    url = url_of(globex["user"], "add")
    new = {
        "email": "New@Example.com",
        "name": "New",
        "password1": "correct-horse-9",
        "password2": "correct-horse-9",
    }
    nowhere = client.post(url, {**new, **memberships()})
    elsewhere = client.post(url, {**new, **memberships(acme["tenant"])})
    assert (nowhere.status_code, elsewhere.status_code) == (200, 200)
    assert not User.objects.filter(name="New").exists()
    assert client.post(url, {**new, **memberships(globex["tenant"])}).status_code == 302
    person = User.objects.get(email="new@example.com")
    assert Membership.unscoped.get(user=person).tenant == globex["tenant"]


def memberships(*tenants: Tenant, known: int = 0) -> dict[str, Any]:
    """The part of a posted form that adds memberships."""
    form: dict[str, Any] = {
        "memberships-TOTAL_FORMS": len(tenants),
        "memberships-INITIAL_FORMS": known,
        "memberships-MIN_NUM_FORMS": 0,
        "memberships-MAX_NUM_FORMS": 1000,
    }
    for number, tenant in enumerate(tenants):
        form |= {f"memberships-{number}-tenant": tenant.pk, f"memberships-{number}-role": "rep"}
    return form


def person_form(person: User, **changes: Any) -> dict[str, Any]:
    """What the form of a person posts when nothing else is touched."""
    kept = {"email": person.email, "name": person.name, "is_active": "on"}
    return {**kept, **memberships(), **changes}
