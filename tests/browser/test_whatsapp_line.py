"""The whole line of a WhatsApp message: from Meta's call to the open inbox, from the composer to
Meta, and from Meta's reports to the ticks, the lead's timeline and the service levels. Web server,
worker and browser are real; Meta is an emulator."""

import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from channels.models import Account, Conversation
from salesflow.accounts.models import Tenant, User
from tests.browser.conftest import log_in
from tests.channels.whatsapp import calls
from tests.channels.whatsapp.emulator import Emulator, running_emulator
from tests.channels.whatsapp.factories import make_account, webhook_of
from tests.factories import make_api_key
from tests.journeys.http import Program
from tests.waiting import promised, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.journey]

QUESTION, ANSWER = "Is the offer still valid?", "Yes, until Friday."
# Seconds in which what Meta tells stands in an open inbox.
LIVE = 2.0
# Milliseconds after which something will not come any more.
PATIENCE = 30_000


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Meta."""
    with running_emulator() as emulator:
        yield emulator


@pytest.fixture
def service_environment(service_environment: dict[str, str], emulator: Emulator) -> dict[str, str]:
    """Processes that take the emulator for Meta."""
    return {**service_environment, "SALESFLOW_WHATSAPP_API_URL": emulator.url}


@pytest.fixture
def ada(make_person: Callable[..., User]) -> User:
    """A sales rep."""
    return make_person(name="Ada Lovelace")


def test_a_whatsapp_message_is_answered_and_its_answer_read(
    page: Page, live: str, tenant: Tenant, ada: User, emulator: Emulator, worker: Any
) -> None:
    account = make_account()
    log_in(page, ada)
    page.goto("/inbox")
    warm_up(page, live, account)
    page.evaluate("window.stays = true")
    call(live, account, calls.messages_call(calls.text(QUESTION)))
    began = time.monotonic()
    expect(rows(page).first).to_contain_text(QUESTION, timeout=PATIENCE)
    took = time.monotonic() - began
    print(f"It stood in the open inbox after {took:.2f} s.")  # noqa: T201
    assert took < promised(LIVE)
    answer_it(page)
    tick = page.locator("#thread-entries li.outbound .tick")
    expect(tick).to_have_attribute("data-status", "sent", timeout=PATIENCE)
    [(vendor_id, sent)] = emulator.sent.items()
    assert sent["text"]["body"] == ANSWER
    for status in ("sent", "delivered", "read"):
        call(live, account, report(vendor_id, status, sent))
        expect(tick).to_have_attribute("data-status", status, timeout=PATIENCE)
    assert page.evaluate("window.stays"), "the page was loaded once"
    see_it_on_the_timeline(page)
    read_the_service_levels(Program(live, make_api_key(tenant)))


def warm_up(page: Page, live: str, account: Account) -> None:
    """Let somebody else write first: a worker that has just started takes its time."""
    ben = calls.person("4915187654321", "DE.2", "Ben Okri")
    item = calls.text("Hello", wa_id="4915187654321")
    call(live, account, calls.messages_call(item, people=[ben]))
    expect(rows(page)).to_contain_text("Ben Okri", timeout=2 * PATIENCE)


def rows(page: Page) -> Locator:
    return page.locator("#inbox-list li")


def call(live: str, account: Account, body: bytes) -> None:
    """What Meta does: it calls the webhook, signed."""
    headers = {"X-Hub-Signature-256": calls.signature(body), "Content-Type": "application/json"}
    request = urllib.request.Request(live + webhook_of(account), body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def report(vendor_id: str, status: str, sent: dict[str, Any]) -> bytes:
    """What becomes of a message that Meta has taken."""
    told = {
        "recipient_id": sent["to"].lstrip("+"),
        "biz_opaque_callback_data": sent["biz_opaque_callback_data"],
    }
    return calls.statuses_call(calls.status(vendor_id, status, **told))


def answer_it(page: Page) -> None:
    page.get_by_role("link", name="Anna Ito").first.click()
    expect(page.locator("#thread-entries")).to_contain_text(QUESTION)
    expect(page.locator("#composer-box")).to_contain_text("closes")
    page.locator("#message-body").fill(ANSWER)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#thread-entries")).to_contain_text(ANSWER, timeout=PATIENCE)
    expect(page.locator("#message-body")).to_have_value("")


def see_it_on_the_timeline(page: Page) -> None:
    lead_id = Conversation.objects.get(lead__name="Anna Ito").lead_id
    page.goto(f"/leads/{lead_id}")
    timeline = page.locator("#timeline")
    for told in ("Message received", QUESTION, "Message sent", ANSWER, "Message delivered"):
        expect(timeline).to_contain_text(told)
    expect(timeline).to_contain_text("Message read")


def read_the_service_levels(program: Program) -> None:
    levels: dict[str, Any] = {}

    def are_there() -> bool:
        told = program.get("/api/analytics/slo")["levels"]
        levels.update({level["step"]: level for level in told if level["channel"] == "whatsapp"})
        return set(levels) == {"stored", "answered", "sent", "delivered"}

    wait_until(are_there, "the service levels know all steps", 60)
    assert levels["stored"]["messages"] == 2
    assert [levels[step]["messages"] for step in ("answered", "sent", "delivered")] == [1, 1, 1]
    assert 0 < levels["sent"]["p95_ms"] < PATIENCE
