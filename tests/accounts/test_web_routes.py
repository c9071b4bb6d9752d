"""What holds for every page, found by walking the addresses: who gets in, whose rows are shown, and
that a page works without inline scripts, without a mouse and without sight."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from channels.autopilot.views.endpoints import DO
from channels.models import Account, Message
from channels.sequences.bulk import begin_bulk
from channels.sequences.documents import Document, MessageStep, Variant
from channels.sequences.enrolling import enrol_leads
from channels.sequences.models import EntryRule, WorkCalendar
from channels.sequences.publishing import publish_version
from channels.sequences.rules import save_rule
from channels.sequences.versions import create_sequence
from leads.services import add_task
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.autopilot.rows import ids_about
from tests.channels.factories import make_message, make_reachable_lead
from tests.channels.template_factories import make_template
from tests.factories import make_tenant, make_user
from tests.web import HTMX, browser_of, page_of

# Not pages for people: probes, the API and the admin have tests of their own, and what mails hold.
PROBES = ("healthz", "readyz", "metrics")
ELSEWHERE = (*PROBES, "api", "admin", "webhooks", "u/", "t/", "static", "mails/", "files/")
FOR_EVERYBODY = {"login", "logout", "set_language"}
POST_ONLY = {
    "leads:move",
    "leads:note",
    "leads:complete-task",
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
    "sequences:hold",
    "sequences:add-step",
    "sequences:step-verb",
    "sequences:try-step",
    "sequences:enrolment-verb",
    "sequences:cancel-bulk",
    "sequences:add-rule",
    "sequences:delete-rule",
    "sequences:discard",
    "sequences:verb",
    "sequences-settings:default-calendar",
    "sequences-settings:delete-calendar",
    "autopilot:approve",
    "autopilot:edit",
    "autopilot:dismiss",
    "autopilot:stop",
    "autopilot:redraft",
    "autopilot:mode",
    "autopilot:suggestion",
    "autopilot:adopt",
    "autopilot:forget-rule",
    "autopilot:hold",
    "autopilot-settings:check",
    *(f"autopilot-settings:{deed}" for deed in DO),
    "logout",
    "set_language",
}
# Parts of pages, which only scripts ask for.
PARTS = {
    "inbox:pulse",
    "channels:suggestions",
    "channels-settings:state",
    "autopilot:conversation",
    "autopilot:news",
    "autopilot-settings:state",
}


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
ABOUT_A_SETTING = {
    name
    for name, address in ROUTES.items()
    if any(each in address for each in ("account_id", "template_id", "calendar_id"))
}
ABOUT_A_SEQUENCE = {n for n, a in ROUTES.items() if "sequence_id" in a or "enrolment_id" in a}
AUTOPILOTS = ("autopilot:", "autopilot-settings:")
ABOUT_THE_AUTOPILOT = {n for n, a in ROUTES.items() if n.startswith(AUTOPILOTS) and "<" in a}
PAGES = sorted(ROUTES.keys() - POST_ONLY - PARTS - {"home", "login"})


def address_of(name: str, **ids: Any) -> str:
    """The address of a page; it gets the ids that it takes."""
    taken = {key: value for key, value in ids.items() if f":{key}>" in ROUTES[name]}
    return reverse(name, kwargs=taken)


def test_the_walk_finds_the_pages() -> None:
    assert {"leads:list", "leads:detail", "channels:composer", "accounts:profile"} <= set(PAGES)
    known = {*ABOUT_A_LEAD, *ABOUT_A_CONVERSATION, *ABOUT_A_SETTING}
    known |= {*ABOUT_A_SEQUENCE, *ABOUT_THE_AUTOPILOT}
    assert not [name for name, a in ROUTES.items() if "<" in a and name not in known]


def ids_of(message: Message) -> dict[str, Any]:
    """What the addresses of pages about a message take, about its conversation, its lead and its
    account, about a template, a task, and a sequence that the lead is in."""
    with tenant_context(message.tenant):
        task = add_task(message.lead, title="Secret task")
        step = MessageStep(variants=(Variant(subject="Hi", body="Hello"),))
        sequence = create_sequence("Welcome", document=Document(steps=(step,)))
        publish_version(sequence)
        sequence.refresh_from_db()
        rule = save_rule(EntryRule(sequence=sequence), trigger="lead.created", conditions=[])
        report = enrol_leads([message.lead], sequence, source="hand")
        bulk = begin_bulk([message.lead_id], sequence)
        calendar = WorkCalendar.objects.get()
    return {
        "sequence_id": sequence.pk,
        "key": step.key,
        "rule_id": rule.pk,
        "bulk_id": bulk.pk,
        "enrolment_id": report.enrolled[0].pk,
        "calendar_id": calendar.pk,
        "lead_id": message.lead_id,
        "task_id": task.pk,
        "conversation_id": message.conversation_id,
        "message_id": message.pk,
        "verb": "discard",
        "account_id": message.account_id,
        "template_id": make_template().pk,
        **ids_about(message),
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
    "name",
    sorted(
        set(PAGES)
        - {*ABOUT_A_LEAD, *ABOUT_A_CONVERSATION, *ABOUT_A_SETTING}
        - {*ABOUT_A_SEQUENCE, *ABOUT_THE_AUTOPILOT}
    ),
)
def test_no_list_shows_another_tenants_rows(tenant: Tenant, name: str) -> None:
    other = make_tenant()
    with tenant_context(other):
        make_message(make_reachable_lead(name="Secret lead", source="secret source"))
        make_user(other, name="Secret Agent")
        add_task(make_reachable_lead(name="Secret person"), title="Secret task")
        make_template(name="Secret words")
        Account.objects.update(name="Secret account")
        create_sequence("Secret sequence")
        WorkCalendar.objects.update(name="Secret hours")
    leading = ("channels-settings:", "sequences-settings:", "sequences:create", *AUTOPILOTS)
    role = "manager" if name.startswith(leading) else "rep"
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
