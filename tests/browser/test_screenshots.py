"""Pictures of the main pages with the demo's data: in tests/artifacts, or as --screenshots says."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Count
from playwright.sync_api import Page

from channels.models import Conversation
from channels.sequences.models import Execution, Sequence
from events.models import Event
from leads.models import Lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.browser.autopilot_rows import fill_autopilot
from tests.browser.conftest import ARTIFACTS
from tests.browser.sequence_history import write_history

pytestmark = pytest.mark.browser


@pytest.fixture
def demo(live: str, settings: Any) -> dict[str, dict[str, str]]:
    """The demo tenant; role → e-mail address and password."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    call_command("load_demo", verbosity=0)
    written = Path(os.environ["SALESFLOW_HOME"]) / "demo.json"
    return {login["role"]: login for login in json.loads(written.read_text())["logins"]}


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path:
    """Where the pictures go."""
    chosen = request.config.getoption("screenshots", default=None)
    path = Path(chosen) if chosen else ARTIFACTS
    path.mkdir(parents=True, exist_ok=True)
    return path


def test_the_main_pages_are_photographed(
    open_page: Callable[..., Page], demo: dict[str, dict[str, str]], folder: Path
) -> None:
    draft = drafts_of_the_autopilot()
    for theme in ("light", "dark"):
        window = open_page(color_scheme=theme, timezone_id="Europe/Berlin")
        take = partial(photograph, window, folder, theme)
        take("login", "/login")
        log_in(window, demo["rep"])
        take("leads", "/leads")
        take("lead", f"/leads/{most_eventful_lead()}")
        take("inbox", f"/inbox/{longest_conversation()}")
        take("tasks", "/tasks")
        take("board", "/leads/board")
        take("funnel", "/analytics/funnel")
        window.context.clear_cookies()
        log_in(window, demo["admin"])
        sequence = used_sequence()
        take("sequence", f"/sequences/{sequence}")
        take("sequence-figures", f"/sequences/{sequence}/figures")
        take("sequence-enrol", f"/sequences/{sequence}/enrol?q=GmbH")
        take("autopilot", f"/autopilot/drafts/{draft}")
        take("autopilot-several", "/autopilot/several")
        take("autopilot-rules", "/autopilot/rules")
        take("autopilot-log", "/autopilot/runs")
        take("autopilot-costs", "/settings/models/costs")
        window.set_viewport_size({"width": 390, "height": 844})
        take("autopilot-phone", f"/autopilot/drafts/{draft}")
        take("sequence-phone", f"/sequences/{sequence}")
        take("sequence-figures-phone", f"/sequences/{sequence}/figures")
        window.set_viewport_size({"width": 1600, "height": 1000})
        take("events", "/admin/events/event/?status=failed")


def photograph(window: Page, folder: Path, theme: str, name: str, address: str) -> None:
    answer = window.goto(address)
    assert answer
    assert answer.ok
    window.wait_for_load_state("networkidle")
    window.screenshot(path=folder / f"{name}-{theme}.png", animations="disabled")


def log_in(page: Page, login: dict[str, str]) -> None:
    page.goto("/login")
    page.get_by_label("E-mail address").fill(login["email"])
    page.get_by_label("Password", exact=True).fill(login["password"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/leads")


def used_sequence() -> Any:
    with tenant_context(Tenant.objects.get(slug="demo")):
        sequence = Sequence.objects.get()
        if not Execution.objects.filter(sequence=sequence).exists():
            write_history(sequence)
        return sequence.pk


def drafts_of_the_autopilot() -> Any:
    with tenant_context(Tenant.objects.get(slug="demo")):
        return fill_autopilot().pk


def most_eventful_lead() -> Any:
    with tenant_context(Tenant.objects.get(slug="demo")):
        shown = Lead.objects.filter(outcome="open", owner__isnull=False, notes__isnull=False)
        counts = {
            lead.pk: Event.objects.filter(subject_id=lead.pk).count()
            for lead in shown.exclude(value=None).distinct()[:50]
        }
        return max(counts, key=lambda pk: counts[pk])


def longest_conversation() -> Any:
    with tenant_context(Tenant.objects.get(slug="demo")):
        of_open = Conversation.objects.filter(state=Conversation.State.OPEN, channel="email")
        counted = of_open.annotate(number=Count("messages"))
        return counted.order_by("-number", "-last_message_at").values_list("pk", flat=True)[0]
