"""The API as a real server speaks it, and its documentation in a real browser."""

import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from events.models import Event
from leads.models import Lead
from salesflow.accounts.models import Tenant, User
from tests.browser.conftest import log_in
from tests.factories import make_api_key

pytestmark = pytest.mark.browser


def test_documentation_works_under_our_content_security_policy(page: Page) -> None:
    page.goto("/api/docs")
    expect(page.get_by_text("/api/events/{event_id}/replay")).to_be_visible()
    page.get_by_text("Replay an event").click()
    expect(page.get_by_text("Idempotency-Key").first).to_be_visible()
    expect(page.locator("#swagger-ui")).to_have_css("box-sizing", "border-box")


def test_documentation_lets_people_try_what_they_read(
    page: Page, make_person: Callable[..., User]
) -> None:
    log_in(page, make_person())
    page.goto("/api/docs/")
    operation = page.locator("#operations-leads-leads_create")
    operation.get_by_text("Create a lead").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("textarea").fill('{"name": "Ada"}')
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").last).to_have_text("201")
    assert Lead.objects.get().name == "Ada"


def call(live: str, key: str, body: Any, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(live).netloc, timeout=30)
    given = {"Authorization": f"Api-Key {key}", "Content-Type": "application/json", **headers}
    connection.request("POST", "/api/leads", body, given)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_body_of_ten_megabytes_gets_an_answer_not_a_broken_connection(
    live: str, tenant: Tenant
) -> None:
    body = json.dumps({"name": "Ada", "company": "x" * 10 * 1024 * 1024})
    status, answer = call(live, make_api_key(tenant), body)
    assert (status, answer["error"]["code"]) == (413, "payload_too_large")
    assert not Lead.objects.exists()


def test_simultaneous_posts_with_one_key_make_one_lead(live: str, tenant: Tenant) -> None:
    key = make_api_key(tenant)
    with ThreadPoolExecutor(8) as pool:
        calls = [
            pool.submit(call, live, key, '{"name": "Ada"}', **{"Idempotency-Key": "order-1"})
            for _number in range(24)
        ]
        answers = [done.result() for done in calls]
    assert {status for status, _answer in answers} == {201}
    assert len({answer["id"] for _status, answer in answers}) == 1
    assert Lead.objects.count() == Event.objects.filter(type="lead.created").count() == 1
