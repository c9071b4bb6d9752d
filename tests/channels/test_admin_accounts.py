"""Accounts, consent and standings in the admin: read there, each tenant's own, without secrets."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from channels.models import Account, AddressStanding, ConsentRecord
from channels.services.consent import mark_bounced, opt_out, record_consent
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.account_factories import SECRET, make_scripted_account, scripted
from tests.channels.factories import make_reachable_lead
from tests.factories import make_tenant, make_user
from tests.staff import client_of, make_staff, make_superuser

MODELS = ["account", "consentrecord", "addressstanding"]


@pytest.fixture(autouse=True)
def rows(tenant: Tenant) -> Iterator[None]:
    """One of each, here and at another tenant."""
    with scripted():
        for each in (tenant, make_tenant()):
            with tenant_context(each):
                slug = each.slug
                make_scripted_account(name=f"Sales of {slug}", actor=make_user())
                lead = make_reachable_lead(f"ada@{slug}.example.com")
                address = lead.emails[0]
                opt_out(
                    lead,
                    channel="email",
                    address=address,
                    source="keyword",
                    proof={"words": "STOP"},
                )
                mark_bounced(lead, channel="email", address=address, hard=True, reason="550")
        yield


def list_of(model: str) -> str:
    return reverse(f"admin:channels_{model}_changelist")


def page_of(model: str, row: Any) -> str:
    return reverse(f"admin:channels_{model}_change", args=[row.pk])


@pytest.mark.parametrize("model", MODELS)
def test_staff_see_the_rows_of_their_tenants_alone(tenant: Tenant, model: str) -> None:
    browser = client_of(make_staff(tenant, may=[f"view_{model}"]))
    listed = browser.get(list_of(model)).content.decode()
    shown = "Sales of acme" if model == "account" else "ada@acme.example.com"
    assert shown in listed
    assert shown.partition("acme")[0] + "tenant-" not in listed
    others = client_of(make_staff(tenant, may=[f"view_{m}" for m in MODELS if m != model]))
    assert others.get(list_of(model)).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_changed_there(tenant: Tenant, model: str) -> None:
    kinds = {"account": Account, "consentrecord": ConsentRecord, "addressstanding": AddressStanding}
    row = kinds[model].objects.order_by("pk").last()
    client = client_of(make_superuser())
    page = client.get(page_of(model, row))
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert client.post(page_of(model, row), {"address": "x"}).status_code == 403
    delete = reverse(f"admin:channels_{model}_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert client.get(reverse(f"admin:channels_{model}_add")).status_code == 403


def test_no_page_has_a_secret(tenant: Tenant) -> None:
    account = Account.objects.get(transport="scripted")
    client = client_of(make_superuser())
    for address in (
        list_of("account"),
        page_of("account", account),
        reverse("admin:events_auditline_changelist"),
    ):
        response = client.get(address)
        assert response.status_code == 200
        assert SECRET not in response.content.decode()
    assert "mail.example.com" in client.get(page_of("account", account)).content.decode()


def test_nobody_asks_what_a_secret_is(tenant: Tenant) -> None:
    client = client_of(make_superuser())
    assert client.get(list_of("account"), {"secrets__contains": "x"}).status_code == 400
    found = client.get(list_of("account"), {"q": SECRET}).content.decode()
    assert "Sales of acme" not in found


def test_account_under_a_lost_key_has_its_page(tenant: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE channels_account SET secrets = '\\x00'::bytea")
    client = client_of(make_superuser())
    assert client.get(list_of("account")).status_code == 200
    account = Account.objects.get(transport="scripted")
    assert client.get(page_of("account", account)).status_code == 200


def test_proof_is_shown_in_words(tenant: Tenant) -> None:
    client = client_of(make_superuser())
    record = ConsentRecord.objects.get()
    shown = client.get(page_of("consentrecord", record)).content.decode()
    assert "by a word such as STOP" in shown
    assert "Words: STOP" in shown
    standing = AddressStanding.objects.get()
    assert "550" in client.get(page_of("addressstanding", standing)).content.decode()


@pytest.mark.parametrize("model", ["consentrecord", "addressstanding"])
def test_search_finds_a_whole_address(tenant: Tenant, model: str) -> None:
    client = client_of(make_superuser())
    found = client.get(list_of(model), {"q": " ada@acme.example.com "}).content.decode()
    assert "ada@acme.example.com" in found.replace('value=" ada@acme.example.com "', "")
    assert "@tenant-" not in found
    part = client.get(list_of(model), {"q": "ada"}).content.decode()
    assert "@acme" not in part


def test_audit_leads_to_the_account(tenant: Tenant) -> None:
    account = Account.objects.get(transport="scripted")
    audit = client_of(make_superuser()).get(reverse("admin:events_auditline_changelist"))
    assert page_of("account", account) in audit.content.decode()
    assert "account.connected" in audit.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_lists_take_the_same_queries_whatever_their_length(
    tenant: Tenant, model: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(6):
        lead = make_reachable_lead(f"l{number}@example.com")
        make_scripted_account(name=f"A{number}", address=f"a{number}@example.com")
        given = {"channel": "email", "address": lead.emails[0], "decision": "withdrawn"}
        record_consent(lead, actor=make_user(), **given)
    client = client_of(make_superuser())
    with django_assert_max_num_queries(8):
        assert client.get(list_of(model)).status_code == 200
