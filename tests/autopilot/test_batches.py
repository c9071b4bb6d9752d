"""Several plain drafts at once: read whole, approved together, each checked by itself."""

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from channels.autopilot.batches import MOST_AT_ONCE
from channels.autopilot.deciding import edit_draft
from channels.autopilot.models import Draft, Mode
from channels.autopilot.policies import set_mode
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.autopilot.rows import make_draft
from tests.autopilot.stage import outbound, set_rule
from tests.channels.factories import make_inbound_message, make_reachable_lead
from tests.factories import make_tenant, make_user
from tests.web import Browser, browser_of, page_of

URL = "/autopilot/several"


@pytest.fixture
def rep(tenant: Tenant) -> User:
    set_rule(Mode.APPROVE)
    return make_user(tenant, name="Ada Rep")


@pytest.fixture
def browser(rep: User) -> Browser:
    return browser_of(rep)


def drafted(name: str, **fields: object) -> Draft:
    lead = make_reachable_lead(name=name)
    message = make_inbound_message(lead, body=f"A question of {name}")
    return make_draft(message, **{"body": f"Hello {name}, thank you.", **fields})


def choice(draft: Draft) -> str:
    return f"{draft.pk}:{draft.revision}"


def state_of(draft: Draft) -> str:
    return str(Draft.objects.values_list("state", flat=True).get(pk=draft.pk))


def test_plain_drafts_stand_whole_and_no_other_ones(browser: Browser) -> None:
    grace, alan = drafted("Grace"), drafted("Alan")
    drafted("Mallory", flags=["instructs"])
    page = page_of(browser.get(URL))
    for told in ("Hello Grace, thank you.", "A question of Grace", grace.to_address):
        assert told in page.text
    assert "Mallory" not in page.text
    boxes = [each for each in page.all("input") if each.get("name") == "draft"]
    assert [box["value"] for box in boxes] == [choice(grace), choice(alan)]
    assert not [box for box in boxes if "checked" in box]
    assert URL in browser.get(reverse("autopilot:queue")).content.decode()


def test_chosen_ones_are_approved_as_they_were_read(browser: Browser, rep: User) -> None:
    grace, alan, joan = drafted("Grace"), drafted("Alan"), drafted("Joan")
    response = browser.post(URL, {"draft": [choice(grace), choice(alan)]}, follow=True)
    assert "2 approved" in page_of(response).text
    assert [state_of(each) for each in (grace, alan, joan)] == ["approved", "approved", "pending"]
    assert Draft.objects.get(pk=grace.pk).decided_by == rep
    assert outbound() == []


def test_each_is_checked_by_itself(browser: Browser, rep: User) -> None:
    fresh, edited, answered = drafted("Grace"), drafted("Alan"), drafted("Joan")
    flagged = drafted("Mallory", flags=["promise"])
    chosen = [choice(each) for each in (fresh, edited, answered, flagged)]
    edit_draft(edited.pk, revision=1, body="Other words.", actor=None)
    make_inbound_message(answered.lead, body="Forget it.")
    with tenant_context(make_tenant()):
        foreign = drafted("Eve")
    nonsense = [choice(foreign), "x", ":1", f"{fresh.pk}:"]
    page = page_of(browser.post(URL, {"draft": [*chosen, *nonsense]}, follow=True))
    assert "1 approved" in page.text
    assert "Alan: Somebody has changed it since you read it." in page.text
    assert "Joan: They have written again since." in page.text
    assert "Mallory: Look at this one by itself." in page.text
    states = [state_of(each) for each in (fresh, edited, answered, flagged)]
    assert states == ["approved", "pending", "pending", "pending"]
    with tenant_context(foreign.tenant):
        assert state_of(foreign) == "pending"


def test_nothing_chosen_is_said(browser: Browser) -> None:
    drafted("Grace")
    assert "Choose at least one draft." in page_of(browser.post(URL, follow=True)).text


def test_where_it_only_drafts_nothing_is_offered(browser: Browser) -> None:
    drafted("Grace")
    set_rule(Mode.DRAFT)
    assert "No plain drafts wait" in page_of(browser.get(URL)).text


def test_drafts_that_need_the_editor_hide_none_behind_them(browser: Browser, rep: User) -> None:
    for number in range(MOST_AT_ONCE):
        waits = drafted(f"Grace {number}")
        set_mode(waits.conversation, Mode.DRAFT, actor=rep, is_leading=False)
    drafted("Joan")
    assert "Hello Joan, thank you." in page_of(browser.get(URL)).text


def test_page_costs_the_same_for_many(
    browser: Browser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    drafted("Grace")
    with django_assert_max_num_queries(20) as one:
        browser.get(URL)
    for name in ("Alan", "Joan", "Mary"):
        drafted(name)
    with django_assert_max_num_queries(len(one)):
        browser.get(URL)
