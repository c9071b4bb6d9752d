"""The admin in a real browser: nothing that its content security policy refuses, no error, and
room for everything on a phone."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from events.models import Delivery, Event, FailureGroup, Replay
from events.testing import handler_of
from leads.services import create_lead
from salesflow.accounts.models import ApiKey, Tenant, User

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DESKTOP, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
PAGES = [
    "/admin/",
    "/admin/events/event/",
    "/admin/events/event/?status=failed",
    "/admin/events/event/?status=pending&type=lead.created&recorded_after=2026-01-01T00:00",
    "/admin/events/event/?q=nothing",
    "/admin/events/event/replay/",
    "/admin/events/event/{event}/change/",
    "/admin/events/failures/",
    "/admin/events/failures/?state=all&order=occurrences",
    "/admin/events/failures/{failure}/",
    "/admin/events/handlers/",
    "/admin/events/handlers/handle_lead_created/",
    "/admin/events/catalogue/",
    "/admin/events/catalogue/lead.created/",
    "/admin/events/event/{event}/correct/",
    "/admin/events/correct/?group={failure}",
    "/admin/events/auditline/",
    "/admin/events/alertrule/",
    "/admin/events/alertrule/add/",
    "/admin/events/replay/",
    "/admin/events/replay/{replay}/change/",
    "/admin/leads/lead/",
    "/admin/leads/lead/{lead}/change/",
    "/admin/leads/pipeline/",
    "/admin/leads/pipeline/{pipeline}/change/",
    "/admin/leads/pipeline/add/",
    "/admin/leads/task/",
    "/admin/leads/meeting/",
    "/admin/channels/account/",
    "/admin/channels/addressstanding/",
    "/admin/channels/message/",
    "/admin/sequences/sequence/",
    "/admin/sequences/enrolment/",
    "/admin/autopilot/policy/",
    "/admin/autopilot/run/",
    "/admin/autopilot/draft/",
    "/admin/autopilot/suggestion/",
    "/admin/accounts/tenant/",
    "/admin/accounts/tenant/{tenant}/change/",
    "/admin/accounts/user/",
    "/admin/accounts/user/{user}/change/",
    "/admin/accounts/user/add/",
    "/admin/accounts/user/{user}/password/",
    "/admin/accounts/apikey/",
    "/admin/accounts/apikey/add/",
    "/admin/auth/group/add/",
]


def broken(event: Event) -> None:
    raise ValueError("<script>alert('in a traceback')</script>")


@pytest.fixture
def admin(make_person: Callable[..., User]) -> User:
    """Who may do everything."""
    return make_person(is_staff=True, is_superuser=True)


@pytest.fixture
def rows(tenant: Tenant, admin: User, settle_events: Callable[[], int]) -> dict[str, Any]:
    """An id of every kind: names as people type them who mean no good."""
    hostile = {"rtl": "\u202egnp.exe", "script": "</pre><script>alert(1)</script>"}
    with handler_of("lead.created", function=broken):
        lead = create_lead(name="<img src=x onerror=alert(2)>" * 4, custom_fields=hostile)
        settle_events()
    replay = Replay.objects.create(tenant=tenant, reason="<b>mended</b>", selected=1)
    ApiKey.issue(tenant=tenant, name="Zapier")
    return {
        "event": Event.objects.get(type="lead.created").pk,
        "failure": FailureGroup.objects.get().fingerprint,
        "replay": replay.pk,
        "lead": lead.pk,
        "pipeline": lead.stage.pipeline_id,
        "tenant": tenant.pk,
        "user": admin.pk,
    }


def enter(page: Page, user: User) -> None:
    """Log in at the admin's own door."""
    page.goto("/admin/")
    page.locator("[name=username]").fill(user.email)
    page.locator("[name=password]").fill("secret-password")
    page.locator("button[type=submit]").click()
    page.wait_for_url("**/admin/")


def test_pages_obey_their_policy_and_fit(page: Page, admin: User, rows: dict[str, Any]) -> None:
    enter(page, admin)
    for address in PAGES:
        response = page.goto(address.format(**rows), wait_until="networkidle")
        assert response
        assert response.status == 200, address
        assert "unsafe-inline" not in script_policy(response.headers), address
        for window in (DESKTOP, PHONE):
            page.set_viewport_size(window)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= window["width"], address


def script_policy(headers: dict[str, str]) -> str:
    """The part of the content security policy that is about scripts."""
    parts = headers["content-security-policy"].split("; ")
    return next(part for part in parts if part.startswith("script-src"))


def test_failed_event_is_found_and_replayed(page: Page, admin: User, rows: dict[str, Any]) -> None:
    # The server does not know this test's handler, which cannot run again for that reason.
    installed = Delivery.objects.filter(event=rows["event"], status="succeeded")
    assert installed.update(status="failed")
    enter(page, admin)
    page.locator("#nav-sidebar, nav, aside").get_by_text("Failed").first.click()
    page.locator("a.error-excerpt").first.click()
    expect(page.locator(".event-traceback").first).to_be_visible()
    expect(page.locator(".event-traceback").first).to_contain_text("in a traceback")
    page.locator("a.event-button", has_text="Replay").first.click()
    page.get_by_role("button", name="Make the plan").click()
    page.get_by_role("button", name="Start the replay").click()
    assert Replay.objects.get(actor=admin).status == Replay.Status.PLANNED
    page.get_by_label("Reason").fill("Mended the handler")
    page.get_by_role("button", name="Start the replay").click()
    expect(page.get_by_text("Mended the handler").first).to_be_visible()
    replay = Replay.objects.get(actor=admin)
    assert (replay.reason, replay.selected) == ("Mended the handler", 1)


def test_ticked_events_go_to_the_plan(page: Page, admin: User, rows: dict[str, Any]) -> None:
    enter(page, admin)
    page.goto("/admin/events/event/?status=failed")
    page.get_by_label("Tick all on this page").check()
    expect(page.get_by_label("Tick Lead created").first).to_be_checked()
    page.get_by_role("button", name="Replay selected").click()
    expect(page.get_by_role("heading", name="Replay 1 event")).to_be_visible()


def test_filters_narrow_the_list(page: Page, admin: User, rows: dict[str, Any]) -> None:
    enter(page, admin)
    page.goto("/admin/events/event/")
    page.get_by_label("Recorded since").fill("2999-01-01T00:00")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No event is so.")).to_be_visible()
    assert page.url.endswith("?recorded_after=2999-01-01T00%3A00%3A00%2B00%3A00")


def test_failure_is_triaged(page: Page, admin: User, rows: dict[str, Any]) -> None:
    enter(page, admin)
    page.locator("#nav-sidebar, nav, aside").get_by_text("Failures").first.click()
    page.locator("a.event-name").first.click()
    page.get_by_label("Note").fill("the bank is down")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".event-head [data-status=acknowledged]")).to_be_visible()
    expect(page.get_by_label("Note")).to_have_value("the bank is down")


def test_payload_and_commands_are_copied(page: Page, admin: User, rows: dict[str, Any]) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    enter(page, admin)
    page.goto(f"/admin/events/event/{rows['event']}/change/")
    page.get_by_text("Read and replay it with curl").click()
    page.locator("[data-copy=copy-curl]").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#copy-curl").text_content()
    assert str(rows["event"]) in copied
