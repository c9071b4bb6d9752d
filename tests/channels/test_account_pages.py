"""The settings' pages of accounts: who may, what is shown and what never is."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from channels.models import Account, AccountTrial
from channels.services.accounts import note_error, stop_account
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Membership, Tenant, User
from tests.channels.account_factories import (
    SECRET,
    ScriptedService,
    make_scripted_account,
    refusal,
    scripted,
)
from tests.channels.mail.factories import make_mail_account
from tests.factories import make_tenant, make_user
from tests.web import HTMX, Browser, browser_of, page_of

GIVEN = {"name": "Sales", "address": "sales@example.com", "host": "mail.example.com"}
GIVEN |= {"token": SECRET, "port": "587", "mode": "safe", "is_default": "on"}


@pytest.fixture(autouse=True)
def service() -> Iterator[ScriptedService]:
    """A transport with settings of all kinds."""
    with scripted() as service:
        yield service


@pytest.fixture
def manager(tenant: Tenant) -> User:
    return make_user(tenant, Membership.Role.MANAGER, name="Grace")


@pytest.fixture
def browser(manager: User) -> Browser:
    return browser_of(manager)


def url(name: str, *args: Any) -> str:
    return reverse(f"channels-settings:{name}", args=args)


def connect_url() -> str:
    return f"{url('connect')}?channel=email&transport=scripted"


@pytest.mark.parametrize("role", Membership.Role.values)
def test_only_who_leads_a_team_comes_in(tenant: Tenant, role: str) -> None:
    account = make_scripted_account()
    browser = browser_of(make_user(tenant, role))
    addresses = [url("accounts"), connect_url(), url("account", account.pk), url("templates")]
    expected = 403 if role == Membership.Role.REP else 200
    assert {browser.get(address).status_code for address in addresses} == {expected}
    link = f'href="{url("accounts")}"'
    assert (link in browser.get(reverse("leads:list")).content.decode()) == (expected == 200)


@pytest.mark.parametrize("name", ["account", "try", "default", "deactivate", "activate", "resume"])
def test_rep_changes_nothing(tenant: Tenant, name: str) -> None:
    account = make_scripted_account()
    stop_account(account.pk, "Expired")
    before = Account.objects.filter(pk=account.pk).values().get()
    browser = browser_of(make_user(tenant, Membership.Role.REP))
    response = browser.post(url(name, account.pk), {**GIVEN, "name": "Mine", "kind": "check"})
    assert response.status_code == 403
    after = Account.objects.filter(pk=account.pk).values().get()
    assert {**before, "secrets": 0} == {**after, "secrets": 0}
    assert not AccountTrial.objects.exists()


@pytest.mark.parametrize(
    "name", ["account", "state", "try", "default", "deactivate", "activate", "resume"]
)
def test_account_of_another_team_is_not_found(browser: Browser, name: str) -> None:
    with tenant_context(make_tenant()):
        theirs = make_scripted_account(name="Theirs")
    address = url(name, theirs.pk)
    answers = [browser.get(address), browser.post(address, {**GIVEN, "kind": "check"})]
    assert {answer.status_code for answer in answers} <= {404, 405}
    assert 404 in {answer.status_code for answer in answers}
    assert b"Theirs" not in browser.get(url("accounts")).content
    theirs = Account.unscoped.get(pk=theirs.pk)
    assert (theirs.name, theirs.is_active) == ("Theirs", True)
    assert not AccountTrial.unscoped.exists()


def test_account_is_connected_in_two_steps(browser: Browser, manager: User) -> None:
    choice = page_of(browser.get(url("connect")))
    assert "?channel=email&transport=scripted" in [link.get("href") for link in choice.all("a")]
    form = page_of(browser.get(connect_url()))
    assert {"host", "token", "port", "mode"} <= {each.get("name") for each in form.all("input")} | {
        each.get("name") for each in form.all("select")
    }
    response = browser.post(connect_url(), GIVEN)
    account = Account.objects.get(transport="scripted")
    assert response.headers["Location"] == url("account", account.pk)
    assert (account.is_default, account.settings["host"]) == (True, "mail.example.com")
    assert not Account.objects.get(transport="sandbox", channel="email").is_active
    shown = page_of(browser.get(url("account", account.pk))).text
    assert "Grace" in shown
    assert "connected it" in shown


def test_page_says_that_no_program_writes_where_nobody_hears_the_answer(browser: Browser) -> None:
    deaf, heard = make_mail_account(), make_scripted_account()
    says = "Sequences and the autopilot write nothing through this account"
    assert says in page_of(browser.get(url("account", deaf.pk))).text
    assert says not in page_of(browser.get(url("account", heard.pk))).text


@pytest.mark.parametrize("query", ["", "?channel=email&transport=pigeon", "?channel=x"])
def test_nothing_is_connected_before_it_is_said_what(browser: Browser, query: str) -> None:
    before = Account.objects.count()
    assert browser.post(url("connect") + query, GIVEN).status_code == 404
    assert Account.objects.count() == before


def test_no_page_shows_a_secret(browser: Browser, service: ScriptedService) -> None:
    answers = [
        browser.post(connect_url(), {**GIVEN, "name": ""}),
        browser.post(connect_url(), {**GIVEN, "port": "0"}),
        browser.post(connect_url(), GIVEN),
    ]
    account = Account.objects.get(transport="scripted")
    page = url("account", account.pk)
    answers += [
        browser.get(page),
        browser.post(page, {**GIVEN, "host": ""}),
        browser.post(page, {**GIVEN, "is_loud": "on"}),
        browser.post(page, GIVEN, follow=True),
        browser.get(url("accounts")),
        browser.get(url("state", account.pk), headers=HTMX),
    ]
    assert [answer.status_code for answer in answers[:3]] == [422, 422, 302]
    assert [answer.status_code for answer in answers[4:6]] == [422, 422]
    for answer in answers:
        assert SECRET not in answer.content.decode()
    assert "A value is stored" in page_of(answers[3]).text
    secret = next(e for e in page_of(answers[3]).all("input") if e.get("name") == "token")
    assert (secret["type"], secret.get("value", "")) == ("password", "")


@pytest.mark.usefixtures("transactional_db")
def test_no_line_of_the_log_has_a_secret(
    browser: Browser,
    service: ScriptedService,
    settle_events: Callable[[], int],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    browser.post(connect_url(), {**GIVEN, "host": "two words"})
    browser.post(connect_url(), GIVEN)
    account = Account.objects.get(transport="scripted")
    service.trouble = RuntimeError(f"no luck with {SECRET}")
    browser.post(url("try", account.pk), {"kind": "check"})
    settle_events()
    assert AccountTrial.objects.get().answer == "The transport broke: RuntimeError"
    lines = [record.getMessage() + str(record.__dict__) for record in caplog.records]
    told = "".join([*lines, *capsys.readouterr()])
    assert lines
    assert SECRET not in told


def test_wrong_entry_is_said_at_its_field_and_nothing_is_saved(browser: Browser) -> None:
    account = make_scripted_account()
    response = browser.post(url("account", account.pk), {**GIVEN, "host": "two words", "token": ""})
    assert response.status_code == 422
    assert "A host has no blanks." in page_of(response).text
    account.refresh_from_db()
    assert account.settings["host"] == "mail.example.com"


def test_saved_settings_are_shown_again(browser: Browser) -> None:
    account = make_scripted_account()
    changed = {**GIVEN, "name": "Support", "token": "", "port": "2525", "footer": "Bye <b>"}
    assert browser.post(url("account", account.pk), changed).status_code == 302
    page = page_of(browser.get(url("account", account.pk)))
    values = {each.get("name"): each.get("value") for each in page.all("input")}
    assert (values["name"], values["port"]) == ("Support", "2525")
    assert "Bye <b>" in page.text


def test_trial_is_asked_for_and_its_answer_shown(
    settle_events: Callable[[], int], browser: Browser, service: ScriptedService
) -> None:
    service.trouble = refusal("The password is <wrong>.")
    account = make_scripted_account()
    asked = browser.post(url("try", account.pk), {"kind": "check"}, headers=HTMX)
    assert "under way" in page_of(asked).text
    [waiting] = [e for e in page_of(asked).all("section") if e.get("id") == "account-state"]
    assert waiting["hx-get"] == url("state", account.pk)
    settle_events()
    answered = page_of(browser.get(url("state", account.pk), headers=HTMX))
    assert "The password is <wrong>." in answered.text
    assert "under way" not in answered.text
    assert "hx-get" not in answered.all("section")[0]
    service.trouble = None
    plain = {"kind": "send", "address": "ada@example.com"}
    browser.post(url("try", account.pk), plain)
    settle_events()
    page = page_of(browser.get(url("account", account.pk)))
    assert "The message to ada@example.com was taken over." in page.text
    assert [sent.address for sent in service.sent] == ["ada@example.com"]


def test_trial_that_cannot_be_made_says_why(browser: Browser) -> None:
    account = make_scripted_account()
    given = {"kind": "send", "address": "nowhere"}
    response = browser.post(url("try", account.pk), given, headers=HTMX)
    assert response.status_code == 422
    assert "is no e-mail address" in page_of(response).text
    toast = browser.post(url("try", account.pk), given, follow=True)
    assert "is no e-mail address" in page_of(toast).text


def test_stopped_account_says_why_and_sends_again(browser: Browser) -> None:
    account = make_scripted_account()
    stop_account(account.pk, "Payment is due.")
    for address in (url("accounts"), url("account", account.pk)):
        assert "Payment is due." in page_of(browser.get(address)).text
    browser.post(url("resume", account.pk))
    account.refresh_from_db()
    assert account.stopped_at is None


def test_account_goes_out_of_use_and_another_takes_over(browser: Browser) -> None:
    first = make_scripted_account()
    second = make_scripted_account(name="Second", address="b@example.com", is_default=False)
    response = browser.post(url("deactivate", first.pk), follow=True)
    assert "new conversations begin with Second" in page_of(response).text
    assert b"Take into use again" in browser.get(url("account", first.pk)).content
    browser.post(url("activate", first.pk))
    browser.post(url("default", first.pk))
    assert Account.objects.get(is_default=True, channel="email") == first
    browser.post(url("deactivate", second.pk))
    response = browser.post(url("default", second.pk), follow=True)
    assert "Activate the account first." in page_of(response).text


def test_last_error_is_told(browser: Browser) -> None:
    account = make_scripted_account()
    note_error(account.pk, "452 <mailbox> full")
    for address in (url("accounts"), url("account", account.pk)):
        assert "452 <mailbox> full" in page_of(browser.get(address)).text


def test_account_under_a_lost_key_has_its_page(browser: Browser, settings: Any) -> None:
    account = make_scripted_account()
    Account.objects.filter(pk=account.pk).update(secrets={"token": SECRET})
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE channels_account SET secrets = '\\x00'::bytea")
    for address in (url("accounts"), url("account", account.pk), reverse("leads:list")):
        assert browser.get(address).status_code == 200
    response = browser.post(url("account", account.pk), {**GIVEN, "token": ""})
    assert "This field is required" in page_of(response).text


def test_account_whose_transport_is_gone_can_be_taken_out_of_use(browser: Browser) -> None:
    account = make_scripted_account()
    Account.objects.filter(pk=account.pk).update(transport="pigeon")
    assert "not installed any more" in page_of(browser.get(url("account", account.pk))).text
    assert browser.post(url("account", account.pk), GIVEN).status_code == 404
    browser.post(url("deactivate", account.pk))
    account.refresh_from_db()
    assert not account.is_active


def test_lists_take_the_same_queries_whatever_their_length(
    browser: Browser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(7):
        make_scripted_account(name=f"A{number}", address=f"a{number}@example.com")
    with django_assert_max_num_queries(6):
        browser.get(url("accounts"))
    with django_assert_max_num_queries(11):
        browser.get(url("account", Account.objects.filter(name="A1").get().pk))


def test_strangers_log_in_first(tenant: Tenant) -> None:
    assert Client().get(url("accounts")).headers["Location"].startswith(reverse("login"))
