"""The settings' pages of models: who may, what is shown and what never is."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from channels.autopilot.budgets import Bill, reserve, set_limit, settle, standing
from channels.autopilot.completions import Usage
from channels.autopilot.endpoints import note_error, stop_endpoint
from channels.autopilot.models import Endpoint, Run
from channels.autopilot.prices import NO_PRICES
from events.testing import settle_events as settle_here
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Membership, Tenant, User
from tests.autopilot.endpoint import KEY, MODEL, Server, chunk
from tests.autopilot.factories import PRICES, make_endpoint
from tests.factories import make_tenant, make_user
from tests.web import HTMX, Browser, browser_of, page_of

GIVEN = {
    "name": "Main",
    "model": MODEL,
    "key": KEY,
    "is_default": "on",
    "temperature": "0.2",
    "deadline": "30",
    "silence": "20",
}
DEEDS = ["default", "deactivate", "activate", "resume"]


@pytest.fixture(autouse=True)
def private(settings: Settings) -> None:
    settings.AI_PRIVATE_ADDRESSES = True


@pytest.fixture
def manager(tenant: Tenant) -> User:
    return make_user(tenant, Membership.Role.MANAGER, name="Grace")


@pytest.fixture
def browser(manager: User) -> Browser:
    return browser_of(manager)


@pytest.fixture
def given(server: Server) -> dict[str, str]:
    return {**GIVEN, "base_url": server.url}


def url(name: str, *args: Any) -> str:
    return reverse(f"autopilot-settings:{name}", args=args)


def values_of(response: Any) -> dict[str, str]:
    inputs = page_of(response).all("input")
    return {each.get("name", ""): each.get("value", "") for each in inputs}


# --- Who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Membership.Role.values)
def test_only_who_leads_a_team_comes_in(tenant: Tenant, server: Server, role: str) -> None:
    endpoint = make_endpoint(server)
    browser = browser_of(make_user(tenant, role))
    pages = [url("endpoints"), url("connect"), url("costs"), url("endpoint", endpoint.pk)]
    expected = 403 if role == Membership.Role.REP else 200
    assert {browser.get(page).status_code for page in pages} == {expected}


@pytest.mark.parametrize("name", ["endpoint", "check", *DEEDS])
def test_rep_changes_nothing(tenant: Tenant, server: Server, name: str) -> None:
    endpoint = make_endpoint(server)
    stop_endpoint(endpoint, "Expired")
    browser = browser_of(make_user(tenant, Membership.Role.REP))
    assert browser.post(url(name, endpoint.pk), GIVEN).status_code == 403
    assert browser.post(url("connect"), GIVEN).status_code == 403
    assert browser.post(url("costs"), {"limit": "9"}).status_code == 403
    row = Endpoint.objects.get()
    assert (row.stopped_reason, row.is_active, Run.objects.count()) == ("Expired", True, 0)


@pytest.mark.parametrize("name", ["endpoint", "state", "check", *DEEDS])
def test_endpoints_of_another_team_are_not_there(
    tenant: Tenant, server: Server, browser: Browser, name: str
) -> None:
    with tenant_context(make_tenant()):
        theirs = make_endpoint(server, name="Theirs")
    answers = [browser.get(url(name, theirs.pk)), browser.post(url(name, theirs.pk), GIVEN)]
    assert {answer.status_code for answer in answers} <= {404, 405}
    assert 404 in {answer.status_code for answer in answers}
    assert b"Theirs" not in browser.get(url("endpoints")).content
    row = Endpoint.unscoped.get()
    assert (row.name, row.is_active, Run.unscoped.count()) == ("Theirs", True, 0)


# --- Without any ----------------------------------------------------------------------------------


def test_without_a_model_the_page_says_how_to_get_one(browser: Browser) -> None:
    text = page_of(browser.get(url("endpoints"))).text
    assert "No model is asked" in text
    assert "make run AI=local" in text
    assert "SALESFLOW_AI_BASE_URL" in text


def test_installations_is_listed_without_its_address_and_key(
    browser: Browser, settings: Settings
) -> None:
    settings.AI_BASE_URL, settings.AI_MODEL = "http://10.1.2.3:8080/v1", "shared-model"
    settings.AI_API_KEY = KEY
    page = page_of(browser.get(url("endpoints")))
    assert "The installation’s" in page.text
    assert "shared-model" in page.text
    [link] = [a["href"] for a in page.all("a") if "/models/" in a["href"] and "-" in a["href"]]
    answer = browser.get(link)
    assert not {"base_url", "model", "key"} & values_of(answer).keys()
    for shown in (answer, browser.get(url("endpoints"))):
        assert not [word for word in ("10.1.2.3", KEY) if word in shown.content.decode()]
    changed = {"temperature": "", "deadline": "30", "silence": "20", "base_url": "http://evil/"}
    changed |= {"prompt_price": "0.15", "completion_price": "0.6"}
    assert browser.post(link, changed).status_code == 302
    row = Endpoint.objects.get()
    assert (row.base_url, row.prices["prompt"]) == ("", "0.15")


# --- Connecting and editing -----------------------------------------------------------------------


def test_model_is_connected(browser: Browser, given: dict[str, str]) -> None:
    page_of(browser.get(url("connect")))
    response = browser.post(url("connect"), given)
    endpoint = Endpoint.objects.get()
    assert response.headers["Location"] == url("endpoint", endpoint.pk)
    assert (endpoint.is_default, endpoint.model, endpoint.prices) == (True, MODEL, {})
    shown = page_of(browser.get(url("endpoint", endpoint.pk))).text
    assert "Grace" in shown
    assert "connected the endpoint" in shown
    assert "genai-prices" in shown
    assert "No model is asked" not in page_of(browser.get(url("endpoints"))).text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"base_url": "https://example.com/v1/chat/completions"}, "Leave out"),
        ({"base_url": "ftp://example.com"}, "begins with https://"),
        ({"name": ""}, "This field is required."),
        ({"key": "two words"}, "characters that no key has"),
        ({"deadline": "9000"}, "less than or equal to 140"),
        ({"temperature": "3"}, "less than or equal to 2"),
        ({"prompt_price": "1"}, "Enter this price, too, or none of them."),
        ({"completion_price": "1"}, "Enter this price, too, or none of them."),
        ({"prompt_price": "-1", "completion_price": "1"}, "greater than or equal to 0"),
        ({"prompt_price": "0.0000001", "completion_price": "1"}, "no more than 6 decimal places"),
    ],
)
def test_wrong_entry_is_said_at_its_field_and_nothing_is_saved(
    browser: Browser, given: dict[str, str], changed: dict[str, str], said: str
) -> None:
    response = browser.post(url("connect"), {**given, **changed})
    assert response.status_code == 422
    assert said in page_of(response).text
    assert KEY not in response.content.decode()
    assert not Endpoint.objects.exists()


def test_saved_settings_are_shown_again_but_no_key(
    browser: Browser, server: Server, given: dict[str, str]
) -> None:
    endpoint = make_endpoint(server)
    changed = {**given, "name": "Support", "key": "", "temperature": "", "deadline": "55"}
    changed |= {"prompt_price": "0.15", "cached_price": "0.075", "completion_price": "0.6"}
    assert browser.post(url("endpoint", endpoint.pk), changed).status_code == 302
    answer = browser.get(url("endpoint", endpoint.pk))
    values = values_of(answer)
    assert (values["name"], values["key"], values["temperature"]) == ("Support", "", "")
    assert float(values["deadline"]) == 55
    assert Decimal(values["cached_price"]) == Decimal("0.075")
    assert "$0.075" in page_of(answer).text
    assert "Entered by your team." in page_of(answer).text
    assert "A value is stored" in page_of(answer).text
    assert KEY not in answer.content.decode()


def test_model_without_a_known_price_is_not_called_free(browser: Browser, server: Server) -> None:
    endpoint = make_endpoint(server, prices=None, model="nobody-knows-this-one")
    text = page_of(browser.get(url("endpoint", endpoint.pk))).text
    assert "Nobody knows what this model costs" in text


# --- Trying, stopping, taking out of use ----------------------------------------------------------


def test_endpoint_is_tried_and_its_answer_shown(
    settle_events: Callable[[], int], browser: Browser, server: Server
) -> None:
    server.text = '{"status": "ready"}'
    endpoint = make_endpoint(server)
    asked = page_of(browser.post(url("check", endpoint.pk), headers=HTMX))
    assert "under way" in asked.text
    [waiting] = [each for each in asked.all("section") if each.get("id") == "endpoint-state"]
    assert waiting["hx-get"] == url("state", endpoint.pk)
    again = browser.post(url("check", endpoint.pk), headers=HTMX)
    assert (again.status_code, Run.objects.count()) == (422, 1)
    settle_events()
    answered = page_of(browser.get(url("state", endpoint.pk), headers=HTMX))
    assert f"{MODEL} answered" in answered.text
    assert "$0.00000675" in answered.text
    assert "hx-get" not in answered.all("section")[0]
    assert "Works" in answered.text
    sent = server.asked[0].body["messages"]
    assert "lead" not in repr(sent).lower()


def test_stopped_endpoint_works_again_once_it_was_tried_well(
    tenant: Tenant, browser: Browser, server: Server
) -> None:
    server.then_refuse(401, "wrong key")
    endpoint = make_endpoint(server)
    for expected in (True, False):
        server.text = '{"status": "ready"}'
        browser.post(url("check", endpoint.pk))
        settle_here()
        endpoint.refresh_from_db()
        assert (endpoint.stopped_at is not None) == expected
    assert [run.outcome for run in Run.objects.order_by("-id")] == ["answered", "unauthorized"]
    assert standing(tenant).reserved == 0


def test_answer_in_another_form_is_said_to_be_one(browser: Browser, server: Server) -> None:
    server.then_stream(chunk("Ready when you are!"), chunk(finish="stop"))
    endpoint = make_endpoint(server)
    browser.post(url("check", endpoint.pk))
    settle_here()
    assert "did not keep to the form" in page_of(browser.get(url("endpoint", endpoint.pk))).text
    assert len(server.asked) == 1


def test_buttons_do_what_they_say(browser: Browser, server: Server) -> None:
    first, second = make_endpoint(server), make_endpoint(server)
    stop_endpoint(first, "no money left")
    assert "no money left" in page_of(browser.get(url("endpoint", first.pk))).text
    for deed, said in (
        ("resume", "is asked again"),
        ("default", "is asked from now on"),
        ("deactivate", f"{second.name} is asked now"),
        ("default", "Take the endpoint into use first."),
        ("activate", "is in use again"),
    ):
        answer = browser.post(url(deed, first.pk), follow=True)
        assert said in page_of(answer).text
    browser.post(url("deactivate", first.pk))
    answer = browser.post(url("deactivate", second.pk), follow=True)
    assert "no model is asked now" in page_of(answer).text


@pytest.mark.parametrize("count", [1, 4])
def test_list_takes_as_many_queries_however_long_it_is(
    browser: Browser,
    server: Server,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    for _number in range(count):
        note_error(make_endpoint(server), "busy")
    browser.get(url("endpoints"))
    with django_assert_max_num_queries(10):
        page = page_of(browser.get(url("endpoints")))
    assert page.text.count("The last try failed") == count


# --- Costs ----------------------------------------------------------------------------------------


def test_costs_say_what_was_spent_and_on_what(tenant: Tenant, browser: Browser) -> None:
    assert "Nothing was asked yet" in page_of(browser.get(url("costs"))).text
    for action, prices in (("draft", PRICES), ("qualify", NO_PRICES)):
        reservation = reserve(tenant, Decimal(0), timezone.now())
        assert reservation
        settle(reservation, action, Bill("gpt-x", Usage(1000, 400, 200), prices))
    text = page_of(browser.get(url("costs"))).text
    for shown in ("$0.00024", "Draft a reply", "gpt-x", "one without a known price", "2,000"):
        assert shown in text


def test_limit_is_set_on_the_page(tenant: Tenant, browser: Browser) -> None:
    answer = browser.post(url("costs"), {"limit": "12.50"}, follow=True)
    assert "$12.50 may be spent a day." in page_of(answer).text
    assert standing(tenant).limit == Decimal("12.5")
    for wrong in ("-1", "x", "100001", ""):
        answer = browser.post(url("costs"), {"limit": wrong})
        assert answer.status_code == 422
        page_of(answer)
    assert standing(tenant).limit == Decimal("12.5")


def test_budget_that_is_over_is_told(tenant: Tenant, browser: Browser, server: Server) -> None:
    make_endpoint(server)
    set_limit(tenant, Decimal(0))
    assert "Spent" in page_of(browser.get(url("endpoints"))).text
    assert "Spent" in page_of(browser.get(url("costs"))).text
