"""Who may do what in the console, and what a button says to who may not."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.template.loader import render_to_string
from django.test import RequestFactory

from events.console.permissions import (
    EDIT,
    NAMES,
    PAUSE,
    REPLAY,
    TRIAGE,
    VIEW,
    Allowed,
    allowed,
    require,
    wanted,
)
from salesflow.accounts.models import Tenant
from tests.staff import make_staff, make_superuser

pytestmark = pytest.mark.django_db


def test_names_are_those_under_which_they_are_handed_out() -> None:
    codenames = {name.split(".")[1]: text for name, text in NAMES.items()}
    given = Permission.objects.filter(content_type__app_label="events", codename__in=codenames)
    assert {each.codename: each.name for each in given} == codenames


@pytest.mark.parametrize(
    ("may", "expected"),
    [
        ([], set()),
        (["replay_event", "correct_event", "triage_failuregroup"], set()),
        (["view_event"], {"view"}),
        (["view_event", "triage_failuregroup"], {"view", "triage"}),
        (["view_event", "replay_external"], {"view"}),
        (["view_event", "replay_event", "replay_external"], {"view", "replay", "external"}),
        (["view_event", "correct_event"], {"view", "edit"}),
    ],
)
def test_everything_presupposes_that_one_may_see(
    tenant: Tenant, may: list[str], expected: set[str]
) -> None:
    found = allowed(make_staff(tenant, may=may))
    assert {name for name, value in vars(found).items() if value} == expected


def test_superuser_may_do_all_and_nobody_else_pauses_handlers(tenant: Tenant) -> None:
    assert allowed(make_superuser()) == Allowed(*[True] * 6)
    everything = [name.split(".")[1] for name in NAMES]
    assert not allowed(make_staff(tenant, may=everything)).pause


@pytest.mark.parametrize("permission", [VIEW, TRIAGE, REPLAY, EDIT, PAUSE, "triage"])
def test_refusal_names_the_permission(tenant: Tenant, permission: str) -> None:
    request = RequestFactory().get("/")
    request.user = make_staff(tenant)
    with pytest.raises(PermissionDenied) as refused:
        require(request, permission)
    assert str(refused.value) == wanted(permission)
    request.user = make_superuser()
    require(request, permission)


def button(**given: Any) -> str:
    return render_to_string("admin/events/button.html", {"text": "Do it", **given})


def test_button_that_may_be_pressed_is_a_link_a_form_or_a_button() -> None:
    assert '<a class="event-button" href="/x/">' in button(allowed=True, url="/x/")
    form = button(allowed=True, action="/x/", name="state", value="muted")
    assert '<form method="post" action="/x/">' in form
    assert 'type="submit" name="state" value="muted"' in form
    assert "event-button-primary" in button(allowed=True, primary=True)


@pytest.mark.parametrize("kind", [{"url": "/x/"}, {"action": "/x/"}, {}])
def test_button_that_may_not_be_pressed_says_which_permission_it_wants(kind: Any) -> None:
    text = button(allowed=False, wants="triage", **kind)
    assert 'aria-disabled="true"' in text
    assert "This needs the permission “Can triage failure groups”." in text
    assert "/x/" not in text
    assert "submit" not in text
