"""The webhook: who may call it, and what it keeps."""

import logging

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from channels.models import Account, Inbound
from channels.services.accounts import deactivate_account
from events.models import Event
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.whatsapp import calls
from tests.channels.whatsapp.factories import VERIFY, make_account, post_call, webhook_of
from tests.factories import make_tenant

HANDSHAKE = {"hub.mode": "subscribe", "hub.verify_token": VERIFY, "hub.challenge": "1158201444"}
pytestmark = pytest.mark.usefixtures("tenant")
BODY = calls.messages_call(calls.text("Hello"))


def test_handshake_gives_the_challenge_back_as_it_is(account: Account) -> None:
    answer = Client().get(webhook_of(account), HANDSHAKE)
    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert answer["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "wrong",
    [
        {"hub.verify_token": "guess"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "schlüssel"},
        {"hub.mode": "unsubscribe"},
    ],
)
def test_handshake_of_a_stranger_is_refused(account: Account, wrong: dict[str, str]) -> None:
    answer = Client().get(webhook_of(account), {**HANDSHAKE, **wrong})
    assert (answer.status_code, answer.content) == (403, b"")
    assert Client().get(webhook_of(account)).status_code == 403


def test_signed_call_is_kept_byte_for_byte_with_its_event(account: Account) -> None:
    odd = b'{ "object":\t"whatsapp_business_account", "entry": [] }\n'
    assert post_call(account, odd).status_code == 200
    inbound = Inbound.objects.get()
    assert (bytes(inbound.body), inbound.account) == (odd, account)
    event = Event.objects.get(type="inbound.received")
    assert event.payload["inbound_id"] == str(inbound.pk)


def test_call_that_comes_twice_is_kept_once(account: Account) -> None:
    assert [post_call(account, BODY).status_code for _ in range(3)] == [200, 200, 200]
    assert Inbound.objects.count() == 1
    assert Event.objects.filter(type="inbound.received").count() == 1


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param("", id="empty"),
        pytest.param("sha256=", id="nothing-after-the-name"),
        pytest.param("sha256=" + "0" * 64, id="zeros"),
        pytest.param("sha1=" + calls.signature(BODY)[7:], id="another-algorithm"),
        pytest.param(calls.signature(BODY)[7:], id="no-algorithm"),
        pytest.param(calls.signature(BODY).upper(), id="upper-case"),
        pytest.param(calls.signature(BODY, "another secret"), id="another-secret"),
        pytest.param(calls.signature(BODY + b" "), id="another-body"),
        pytest.param("sha256=é", id="not-ascii"),
    ],
)
def test_call_with_a_wrong_signature_is_refused(account: Account, signature: str) -> None:
    assert post_call(account, BODY, signature.encode().decode("latin-1")).status_code == 403
    assert not Inbound.objects.exists()


def test_call_without_a_signature_is_refused(account: Account) -> None:
    answer = Client().post(webhook_of(account), BODY, content_type="application/json")
    assert (answer.status_code, answer.content) == (403, b"")


def test_wrong_signature_shows_in_the_accounts_health_once_a_minute(
    account: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    post_call(account, BODY, "sha256=0")
    first = Account.objects.get(pk=account.pk)
    post_call(account, BODY, "sha256=0")
    again = Account.objects.get(pk=account.pk)
    assert "wrong signature" in first.last_error
    assert first.last_error_at == again.last_error_at


def test_without_an_app_secret_nothing_comes_in(account: Account) -> None:
    secrets = {name: text for name, text in account.secrets.items() if name != "app_secret"}
    Account.objects.filter(pk=account.pk).update(secrets=secrets)
    for signature in (calls.signature(BODY), calls.signature(BODY, ""), ""):
        assert post_call(account, BODY, signature).status_code == 403
    assert not Inbound.objects.exists()


def test_secrets_under_a_lost_key_let_nothing_in(account: Account, settings: Settings) -> None:
    settings.SECRET_KEY = "another key " * 6
    assert post_call(account, BODY).status_code == 403
    assert Client().get(webhook_of(account), HANDSHAKE).status_code == 403
    account.refresh_from_db()
    assert "cannot be read" in account.last_error


def test_nobody_learns_whether_there_is_an_account(account: Account) -> None:
    nowhere = Account(pk="0197a2f0-0000-7000-8000-000000000001")
    mail = Account.objects.get(channel="email")
    known, unknown = post_call(account, BODY, ""), post_call(nowhere, BODY, "")
    assert post_call(mail, BODY).status_code == 403
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert set(known.headers) == set(unknown.headers)
    assert Client().get(webhook_of(nowhere), HANDSHAKE).status_code == 403


def test_account_that_is_not_in_use_takes_nothing_in(account: Account) -> None:
    deactivate_account(account)
    assert post_call(account, BODY).status_code == 403
    assert not Inbound.objects.exists()


def test_flood_in_one_call_is_refused(account: Account) -> None:
    body = b" " * (3 * 1024 * 1024 + 1)
    assert post_call(account, body).status_code == 413
    # Meta may send 3 MB: more than a form of ours may have.
    assert post_call(account, b" " * (3 * 1024 * 1024)).status_code == 200


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "head"])
def test_other_methods_are_refused(account: Account, method: str) -> None:
    assert getattr(Client(), method)(webhook_of(account)).status_code in {403, 405}


def test_call_needs_no_token_against_forgery(account: Account) -> None:
    client = Client(enforce_csrf_checks=True)
    headers = {"X-Hub-Signature-256": calls.signature(BODY)}
    answer = client.post(
        webhook_of(account), BODY, content_type="application/json", headers=headers
    )
    assert answer.status_code == 200


def test_numbers_of_one_app_share_an_address(tenant: Tenant, account: Account) -> None:
    sister = make_account("+15550009999", phone_number_id="777777")
    with tenant_context(make_tenant()):
        stranger = make_account("+15550001111", phone_number_id="888888")
    body = calls.raw(
        calls.call(
            calls.value(messages=[calls.text("ours")]),
            calls.value(number_id="777777", messages=[calls.text("our sister's")]),
            calls.value(number_id="888888", messages=[calls.text("another tenant's")]),
        )
    )
    assert post_call(account, body).status_code == 200
    kept = set(Inbound.unscoped.values_list("account", flat=True))
    assert kept == {account.pk, sister.pk}
    assert stranger.pk not in kept


def test_call_costs_the_same_few_queries(
    account: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(9):
        assert post_call(account, BODY).status_code == 200


def test_no_secret_is_logged(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        post_call(account, BODY)
        post_call(account, BODY, "sha256=0")
        Client().get(webhook_of(account), HANDSHAKE)
    for secret in account.secrets.values():
        assert secret not in caplog.text
