"""The settings' pages of templates: written, previewed for a lead, kept per language."""

from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from channels.models import MessageTemplate
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Membership, Tenant, User
from tests.channels.factories import make_reachable_lead
from tests.channels.template_factories import make_approved, make_template
from tests.factories import make_tenant, make_user
from tests.web import HTMX, Browser, Page, browser_of, page_of

GIVEN = {"name": "Hello", "language": "en", "body": "Hello {{ first_name }}", "is_active": "on"}


@pytest.fixture
def manager(tenant: Tenant) -> User:
    return make_user(tenant, Membership.Role.MANAGER, name="Grace Hopper")


@pytest.fixture
def browser(manager: User) -> Browser:
    return browser_of(manager)


def url(name: str, *args: Any) -> str:
    return reverse(f"channels-settings:{name}", args=args)


def marks(page: Page) -> list[str]:
    """What the marked pieces of a preview are."""
    return [mark["class"] for mark in page.all("mark")]


def test_template_is_written_listed_edited_and_deleted(browser: Browser) -> None:
    browser.post(url("new-template"), {**GIVEN, "shortcut": "/hi", "channel": "email"})
    template = MessageTemplate.objects.get()
    assert (template.shortcut, template.channel) == ("hi", "email")
    assert "/hi" in page_of(browser.get(url("templates"))).text
    changed = {**GIVEN, "body": "Hi {{ company|there }} & <b>"}
    browser.post(url("template", template.pk), changed)
    template.refresh_from_db()
    assert (template.body, template.shortcut) == ("Hi {{ company|there }} & <b>", "")
    assert "{{ company|there }} & <b>" in page_of(browser.get(url("template", template.pk))).text
    browser.post(url("delete-template", template.pk))
    assert not MessageTemplate.objects.exists()


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("name", {"name": ""}),
        ("body", {"body": "Hi {{ fist_name }}"}),
        ("body", {"body": "Hi {{ first_name"}),
        ("shortcut", {"shortcut": "a b"}),
        ("vendor_language", {"channel": "whatsapp", "vendor_name": "hello"}),
    ],
)
def test_wrong_template_is_said_at_its_field(
    browser: Browser, field: str, change: dict[str, str]
) -> None:
    response = browser.post(url("new-template"), {**GIVEN, **change})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    page_of(response)
    assert not MessageTemplate.objects.exists()


def test_preview_reads_as_the_lead_will(browser: Browser) -> None:
    ada = make_reachable_lead(name="Ada <Lovelace>", company="")
    text = "Dear {{ first_name }} of {{ company|your company }}: {{ custom.size }} {{ team }}"
    given = {"body": text, "subject": "From {{ sender_name }}", "lead": str(ada.pk)}
    page = page_of(browser.post(url("preview"), given, headers=HTMX))
    assert "Dear Ada of your company: custom.size Acme" in page.text
    assert "From Grace Hopper" in page.text
    assert marks(page) == ["value", "value", "fallback", "missing", "value"]
    assert "It cannot be sent to Ada <Lovelace>: nothing is known for custom.size." in page.text
    assert "Dear {{1}} of {{2}}: {{3}} {{4}}" in page.text


def test_preview_says_what_cannot_be_read_and_whom_it_lacks(browser: Browser) -> None:
    lead = make_reachable_lead(name="Ada Lovelace")
    broken = browser.post(url("preview"), {"body": "Hi {{ first_name", "lead": str(lead.pk)})
    assert "two braces on either side" in page_of(broken).text
    for unusable in ("", "nonsense", "019a0000-0000-7000-8000-000000000000"):
        answer = browser.post(url("preview"), {"body": "Hi {{ first_name }}", "lead": unusable})
        assert answer.status_code == 200
        assert "no lead yet" in page_of(answer).text


def test_preview_tells_nothing_of_another_teams_lead(browser: Browser) -> None:
    with tenant_context(make_tenant()):
        theirs = make_reachable_lead(name="Secret Agent", company="Secret")
    given = {"body": "{{ name }} {{ company }} {{ email }}", "lead": str(theirs.pk)}
    assert b"ecret" not in browser.post(url("preview"), given).content


def test_template_of_another_team_is_not_found(browser: Browser) -> None:
    with tenant_context(make_tenant()):
        theirs = make_template(name="Secret words")
    assert b"Secret words" not in browser.get(url("templates")).content
    assert browser.get(url("template", theirs.pk)).status_code == 404
    assert browser.post(url("template", theirs.pk), GIVEN).status_code == 404
    assert browser.post(url("delete-template", theirs.pk)).status_code == 404
    assert b"Secret" not in browser.get(f"{url('new-template')}?copy={theirs.pk}").content
    assert MessageTemplate.unscoped.get().name == "Secret words"


def test_page_previews_for_the_lead_that_is_chosen(browser: Browser) -> None:
    ada, grace = (make_reachable_lead(name=name) for name in ("Ada Lovelace", "Grace Hopper"))
    template = make_template(body="Dear {{ last_name }}")
    for lead, name in ((ada, "Lovelace"), (grace, "Hopper")):
        page = page_of(browser.get(f"{url('template', template.pk)}?lead={lead.pk}"))
        assert f"Dear {name}" in page.text


def test_translation_begins_with_what_it_translates(browser: Browser) -> None:
    original = make_approved(name="Hello")
    page = browser.get(f"{url('new-template')}?copy={original.pk}")
    form = page.context["form"]
    assert form["language"].value() == "de"
    assert form["body"].value() == "Hello {{ first_name }}"
    assert form["vendor_status"].value() == ""
    browser.post(url("new-template"), {**GIVEN, "language": "de", "channel": "whatsapp"})
    assert set(MessageTemplate.objects.values_list("name", "language")) == {
        ("Hello", "en"),
        ("Hello", "de"),
    }


def test_approval_that_was_told_while_the_form_was_open_stays(browser: Browser) -> None:
    template = make_approved(vendor_status="pending")
    address = url("template", template.pk)
    given = {**GIVEN, "name": "Renamed", "channel": "whatsapp", "vendor_name": "hello"}
    given |= {"vendor_language": "en_US", "vendor_status": "pending"}
    shown = {
        each.get("name"): each.get("value") for each in page_of(browser.get(address)).all("input")
    }
    assert shown["initial-vendor_status"] == "pending"
    given["initial-vendor_status"] = "pending"
    MessageTemplate.objects.update(vendor_status="approved")
    assert browser.post(address, given).status_code == 302
    template.refresh_from_db()
    assert (template.name, template.vendor_status) == ("Renamed", "approved")
    given |= {"vendor_status": "rejected", "initial-vendor_status": "approved"}
    browser.post(address, given)
    template.refresh_from_db()
    assert template.vendor_status == "rejected"


@pytest.mark.parametrize("query", ["?copy=nonsense", "?copy=", "?lead=nonsense", "?after=x"])
def test_addresses_that_mean_nothing_are_no_trouble(browser: Browser, query: str) -> None:
    for name in ("new-template", "templates"):
        assert browser.get(url(name) + query).status_code == 200


def test_list_is_narrowed_by_channel_and_language(browser: Browser) -> None:
    make_template(name="English everywhere")
    make_template(name="German mail", language="de", channel="email")
    for query, shown, hidden in (
        ("?language=de", b"German mail", b"English everywhere"),
        ("?channel=email&language=de", b"German mail", b"English everywhere"),
        ("?language=xx", b"English everywhere", b"nothing of the kind"),
    ):
        content = browser.get(url("templates") + query).content
        assert shown in content
        assert hidden not in content
    assert (
        "No template matches" in page_of(browser.get(f"{url('templates')}?channel=linkedin")).text
    )


def test_list_goes_on_by_pages(
    browser: Browser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(53):
        make_template(name=f"T{number:02}")
    with django_assert_max_num_queries(6):
        first = browser.get(url("templates"))
    [following] = [a["href"] for a in page_of(first).all("a") if a.get("rel") == "next"]
    second = browser.get(url("templates") + following)
    assert [t.name for t in second.context["templates"]] == ["T50", "T51", "T52"]


def test_rep_writes_no_template(tenant: Tenant) -> None:
    template = make_template()
    browser = browser_of(make_user(tenant, Membership.Role.REP))
    for name, args in (("new-template", ()), ("template", (template.pk,)), ("preview", ())):
        assert browser.post(url(name, *args), {**GIVEN, "body": "Mine"}).status_code == 403
    assert browser.post(url("delete-template", template.pk)).status_code == 403
    template.refresh_from_db()
    assert template.body == "Hello {{ first_name }}"
