"""What holds for every page, found by walking the addresses: who gets in, whose rows are shown, and
that a page works without inline scripts, without a mouse and without sight."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from channels.models import Account, Message
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_message, make_reachable_lead
from tests.channels.template_factories import make_template
from tests.factories import make_tenant, make_user
from tests.web import HTMX, browser_of, page_of

# Not pages for people: probes, the API and the admin have tests of their own, and what mails hold.
PROBES = ("healthz", "readyz", "metrics")
ELSEWHERE = (*PROBES, "api", "admin", "webhooks", "u/", "static", "mails/", "files/")
FOR_EVERYBODY = {"login", "logout", "set_language"}
POST_ONLY = {
    "leads:move",
    "leads:note",
    "channels:replying",
    "channels:message-verb",
    "inbox:assign",
    "inbox:snooze",
    "inbox:close",
    "inbox:reopen",
    "inbox:unread",
    "channels-consent:grant",
    "channels-consent:withdraw",
    "channels-consent:use-again",
    "channels-settings:try",
    "channels-settings:default",
    "channels-settings:deactivate",
    "channels-settings:activate",
    "channels-settings:resume",
    "channels-settings:preview",
    "channels-settings:delete-template",
    "logout",
    "set_language",
}
# Parts of pages, which only scripts ask for.
PARTS = {"inbox:pulse", "channels:suggestions", "channels-settings:state"}


def routes(resolver: Any = None, prefix: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """Name and address pattern of every web page."""
    for entry in (resolver or get_resolver()).url_patterns:
        address = prefix + str(entry.pattern)
        if address.strip("^").startswith(ELSEWHERE):
            continue
        if isinstance(entry, URLPattern):
            yield f"{space}{entry.name}", address
        else:
            inner = f"{entry.namespace}:" if entry.namespace else ""
            yield from routes(entry, address, space + inner)


ROUTES = dict(routes())
ABOUT_A_LEAD = sorted(name for name, address in ROUTES.items() if "lead_id" in address)
ABOUT_A_CONVERSATION = {name for name, a in ROUTES.items() if "conversation_id" in a}
ABOUT_A_SETTING = {n for n, a in ROUTES.items() if "account_id" in a or "template_id" in a}
PAGES = sorted(ROUTES.keys() - POST_ONLY - PARTS - {"home", "login"})


def address_of(name: str, **ids: Any) -> str:
    """The address of a page; it gets the ids that it takes."""
    taken = {key: value for key, value in ids.items() if f":{key}>" in ROUTES[name]}
    return reverse(name, kwargs=taken)


def test_the_walk_finds_the_pages() -> None:
    assert {"leads:list", "leads:detail", "channels:composer", "accounts:profile"} <= set(PAGES)
    known = {*ABOUT_A_LEAD, *ABOUT_A_CONVERSATION, *ABOUT_A_SETTING}
    assert not [name for name, a in ROUTES.items() if "<" in a and name not in known]


def ids_of(message: Message) -> dict[str, Any]:
    """What the addresses of pages about a message take, about its conversation, its lead and its
    account, and about a template."""
    return {
        "lead_id": message.lead_id,
        "conversation_id": message.conversation_id,
        "message_id": message.pk,
        "verb": "discard",
        "account_id": message.account_id,
        "template_id": make_template().pk,
    }


@pytest.mark.parametrize("name", sorted(ROUTES.keys() - FOR_EVERYBODY - {"home"}))
def test_strangers_are_sent_to_log_in(tenant: Tenant, name: str) -> None:
    address = address_of(name, **ids_of(make_message()))
    for response in (Client().get(address), Client().post(address)):
        assert response.status_code == 302
        assert response.headers["Location"] == f"{reverse('login')}?next={address}"


@pytest.mark.parametrize("name", sorted(ROUTES.keys() - FOR_EVERYBODY - {"home"}))
def test_who_works_for_no_tenant_gets_no_page(tenant: Tenant, name: str) -> None:
    address = address_of(name, **ids_of(make_message()))
    response = browser_of(make_user()).get(address)
    assert response.status_code == 403
    assert "member of no tenant" in page_of(response).text


@pytest.mark.parametrize("name", sorted({*ABOUT_A_LEAD, *ABOUT_A_CONVERSATION} - PARTS))
def test_another_tenants_lead_is_not_found(tenant: Tenant, name: str) -> None:
    with tenant_context(make_tenant()):
        theirs = make_reachable_lead(name="Secret")
        message = make_message(theirs)
    browser = browser_of(make_user(tenant))
    address = address_of(name, **ids_of(message))
    given = {"body": "x", "lost_reason": "x", "stage": theirs.stage_id, "channel": "email"}
    answers = [browser.get(address), browser.post(address, given)]
    answers.append(browser.post(address, given, headers=HTMX))
    # A page that is only read, or only written, refuses the other method before it looks.
    assert {answer.status_code for answer in answers} <= {404, 405}
    assert 404 in {answer.status_code for answer in answers}
    with tenant_context(theirs.tenant):
        theirs.refresh_from_db()
        assert theirs.notes.count() == 0
        assert theirs.messages.count() == 1


@pytest.mark.parametrize(
    "name", sorted(set(PAGES) - set(ABOUT_A_LEAD) - ABOUT_A_CONVERSATION - ABOUT_A_SETTING)
)
def test_no_list_shows_another_tenants_rows(tenant: Tenant, name: str) -> None:
    other = make_tenant()
    with tenant_context(other):
        make_message(make_reachable_lead(name="Secret lead", source="secret source"))
        make_user(other, name="Secret Agent")
        make_template(name="Secret words")
        Account.objects.update(name="Secret account")
    role = "manager" if name.startswith("channels-settings:") else "rep"
    response = browser_of(make_user(tenant, role)).get(address_of(name))
    assert response.status_code == 200
    assert "ecret " not in response.content.decode()


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_strict_and_accessible(tenant: Tenant, name: str, language: str) -> None:
    lead = make_reachable_lead(phone="+49 30 18301800", tags=["vip"], owner=make_user(tenant))
    message = make_message(lead)
    user = make_user(tenant, "admin", is_staff=True)
    user.language = language
    user.save()
    response = browser_of(user).get(address_of(name, **ids_of(message)))
    page = page_of(response)
    assert response.status_code == 200
    assert "unsafe-inline" not in response.headers["Content-Security-Policy"]
    assert page.all("html")[0]["lang"] == language
    assert len(page.all("nav")) >= 1
    assert page.all("a")[0]["href"] == "#main"


def test_pages_that_are_not_there_say_so(tenant: Tenant) -> None:
    for client in (Client(), browser_of(make_user(tenant))):
        response = client.get("/leads/nowhere")
        assert response.status_code == 404
        page_of(response)
