"""Somebody who reads German meets no English sentence of ours, and German numbers and dates."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import polib
import pytest
from django.conf import settings
from django.urls import reverse

from events.models import Event, EventStatus
from leads.models import Lead
from leads.services import add_note, lose_lead, move_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.api.clients import ApiClient
from tests.factories import make_api_key, make_tenant, make_user
from tests.leads.factories import make_lead, stage_called
from tests.web import Browser, browser_of

CATALOGUE = f"{settings.BASE_DIR}/locale/de/LC_MESSAGES/django.mo"
READ_ATTRIBUTES = {"placeholder", "title", "aria-label", "alt", "data-label"}
SILENT = {"script", "style", "code", "pre", "option"}
# A language is called by its own name; the icon font writes icons for these.
MEANT = {"English", "error", "key", "replay"}


class Words(HTMLParser):
    """What a page says, piece by piece, in its text and its attributes."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.said: set[str] = set()
        self.silent = 0
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in SILENT
        self.said |= {value.strip() for name, value in attrs if name in READ_ATTRIBUTES and value}

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in SILENT

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.said.add(" ".join(data.split()))


def english_texts() -> set[str]:
    """Our texts that read differently in German and have no placeholders."""
    texts = {
        text
        for entry in polib.mofile(CATALOGUE)
        for text in (entry.msgid, entry.msgid[:1].upper() + entry.msgid[1:])
        if "%" not in text and text != entry.msgstr
    }
    german = {entry.msgstr for entry in polib.mofile(CATALOGUE)}
    return {text for text in texts if text not in german | MEANT and len(text) > 2}


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    """A German team, set as the current one."""
    with tenant_context(make_tenant("acme", name="Acme GmbH", language="de")) as tenant:
        yield tenant


@pytest.fixture
def anna(tenant: Tenant) -> User:
    user = make_user(tenant, role="admin", name="Anna Berg", is_staff=True, is_superuser=True)
    user.language = "de"
    user.save()
    return user


@pytest.fixture
def lead(tenant: Tenant, anna: User) -> Lead:
    """A lead with a history."""
    lead = make_lead(
        name="Berta Kurz",
        company="Kurz AG",
        owner=anna,
        source="messe",
        value="1234.50",
        currency="EUR",
        emails=["berta@example.com"],
        created_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )
    move_lead(lead, stage_called("Angebot"), at=datetime(2026, 3, 21, 12, tzinfo=UTC))
    add_note(lead, "Ruft zurück", author=anna)
    return lead


@pytest.fixture
def browser(anna: User) -> Browser:
    return browser_of(anna)


def addresses(lead: Lead) -> list[str]:
    """The main pages, of the web and of the admin."""
    web = ["list", "board", "create"]
    one = ["detail", "edit", "win", "lose", "assign", "delete", "timeline"]
    admin = ["events_event", "events_replay", "leads_lead", "leads_pipeline", "channels_message"]
    admin += ["accounts_tenant", "accounts_user", "accounts_apikey"]
    event = Event.unscoped.filter(subject_id=lead.pk).earliest("position")
    return [
        *(reverse(f"leads:{name}") for name in web),
        *(reverse(f"leads:{name}", args=[lead.pk]) for name in one),
        reverse("channels:composer", args=[lead.pk]),
        *map(reverse, ("analytics:funnel", "accounts:profile", "accounts:password")),
        reverse("admin:index"),
        *(reverse(f"admin:{name}_changelist") for name in admin),
        *(reverse(f"admin:{name}_add") for name in admin[-3:]),
        reverse("admin:leads_lead_change", args=[lead.pk]),
        reverse("admin:leads_pipeline_change", args=[lead.stage.pipeline_id]),
        reverse("admin:events_event_change", args=[event.pk]),
        *map(reverse, ("admin:events_event_replay", "admin:events_event_give_up")),
    ]


def test_pages_say_nothing_in_english(lead: Lead, browser: Browser) -> None:
    english = english_texts()
    Event.unscoped.filter(type="lead.created").update(status=EventStatus.FAILED)
    said = {}
    for address in addresses(lead):
        response = browser.get(address)
        assert response.status_code == 200, address
        said[address] = sorted(Words(response).said & english)
    assert {address: texts for address, texts in said.items() if texts} == {}


def test_page_that_is_missing_says_so_in_german(browser: Browser) -> None:
    response = browser.get("/gibt-es-nicht")
    assert (
        response.status_code,
        "Diese Seite gibt es hier nicht" in response.content.decode(),
    ) == (
        404,
        True,
    )


def test_login_follows_the_browsers_language(client: Any, db: None) -> None:
    response = client.get(reverse("login"), headers={"Accept-Language": "de-AT,de;q=0.9"})
    assert "Anmelden" in Words(response).said


def test_amounts_and_dates_are_written_as_in_german(lead: Lead, browser: Browser) -> None:
    lose_lead(lead, reason="Zu teuer", at=datetime(2026, 11, 21, 12, tzinfo=UTC))
    shown = browser.get(reverse("leads:detail", args=[lead.pk])).content.decode()
    for text in ("1.234,50", "21. November 2026", "Verloren"):
        assert text in shown
    for address in (reverse("leads:list"), reverse("leads:board")):
        assert "1.234,50" in browser.get(address).content.decode()


def test_funnel_writes_numbers_as_in_german(
    settle_events: Callable[[], int], lead: Lead, browser: Browser
) -> None:
    move_lead(lead, stage_called("Gewonnen"))
    settle_events()
    shown = browser.get(reverse("analytics:funnel")).content.decode()
    assert "1.234,50" in shown
    assert "100,0 %" in shown


def test_api_answers_in_the_language_that_is_asked_for(lead: Lead, tenant: Tenant) -> None:
    api = ApiClient(make_api_key(tenant))
    path = f"/api/leads/{lead.pk}"

    german = api.patch(path, {"owner": "niemand@example.com"}, **{"Accept-Language": "de"}).json()
    english = api.patch(path, {"owner": "niemand@example.com"}).json()

    assert german["error"]["message"] == "Die Anfrage enthält Fehler; siehe „fields“."
    assert german["error"]["fields"]["owner"] == [
        "Im Team gibt es niemanden mit „niemand@example.com“."
    ]
    assert english["error"]["message"] == "The request has errors; see “fields”."
