"""The list of failures and the page of one: read by whom they concern, triaged by forms."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events.console import addresses
from events.console.addresses import list_url, plan_url
from events.console.failures import VERBS
from events.failures.fingerprints import masked
from events.models import AuditLine, Delivery, EventStatus, FailureGroup, Replay
from events.selections import Selection
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.alert_factories import make_group
from tests.events.factories import make_failure
from tests.factories import make_tenant, make_user
from tests.staff import client_of, make_staff, make_superuser, said_on
from tests.web import HTMX

pytestmark = pytest.mark.django_db

LIST = reverse("admin:events_failures")
State = FailureGroup.State


@pytest.fixture
def root() -> Client:
    """The browser of a superuser."""
    return client_of(make_superuser())


def url_of(fingerprint: UUID, name: str = "failure") -> str:
    return reverse(f"admin:events_{name}", args=[fingerprint])


def listed(client: Client, **query: str) -> list[UUID]:
    return [line.failure.fingerprint for line in client.get(LIST, query).context["lines"]]


def triage(client: Client, group: FailureGroup, verb: str, **form: Any) -> Any:
    url = url_of(group.fingerprint, "failure_triage")
    return client.post(url, {"verb": verb, **form}, follow=True)


# --- The list -----------------------------------------------------------------------------------


def test_list_begins_with_what_is_open_and_shows_the_rest_on_demand(
    tenant: Tenant, root: Client
) -> None:
    groups = {state: make_group(tenant, state=state).fingerprint for state in State.values}
    assert listed(root) == [groups["open"]]
    for state, fingerprint in groups.items():
        assert listed(root, state=state) == [fingerprint]
    assert set(listed(root, state="all")) == set(groups.values())


def test_list_is_narrowed_by_handler_and_ordered(tenant: Tenant, root: Client) -> None:
    rare = make_group(tenant, handler="a", occurrences=1).fingerprint
    frequent = make_group(tenant, handler="b", occurrences=9).fingerprint
    assert listed(root, handler="a") == [rare]
    assert listed(root, order="occurrences") == [frequent, rare]


@pytest.mark.parametrize(
    "text",
    [
        "send_MAIL",
        "TimeoutError",
        "TimeoutError: no answer from crm.example.com within 31 s",
        "within answer",
        "services:place",
        "send_mail timeout",
    ],
)
def test_list_is_searched_by_words_as_logs_have_them(
    tenant: Tenant, root: Client, text: str
) -> None:
    message = masked("no answer from crm.example.com within 48 s")
    found = make_group(tenant, message=message, frame="leads.services:place").fingerprint
    make_group(tenant, handler="other", error_type="KeyError", message="'…'")
    assert listed(root, q=text) == [found]
    assert listed(root, q=f"{text} nonsense") == []


def test_search_takes_signs_for_themselves(tenant: Tenant, root: Client) -> None:
    found = make_group(tenant, message="100 % of a_b").fingerprint
    make_group(tenant, message="nothing like it: acb")
    assert listed(root, q="%") == listed(root, q="a_b") == [found]
    assert listed(root, q="\\") == []


@pytest.mark.parametrize("text", ["\x00", "x" * 201])
def test_search_for_what_cannot_be_there_is_refused(root: Client, text: str) -> None:
    response = root.get(LIST, {"q": text})
    assert response.status_code == 400
    assert list(response.context["errors"]) == ["q"]


@pytest.mark.parametrize("name", ["state", "order", "handler", "sort"])
def test_address_that_makes_no_sense_names_what_is_wrong(root: Client, name: str) -> None:
    response = root.get(LIST, {name: "<b>nonsense</b>"})
    assert response.status_code == 400
    assert list(response.context["errors"]) == [name]


def test_staff_see_their_own_tenants_failures_alone(tenant: Tenant) -> None:
    fingerprint, other = uuid4(), make_tenant()
    make_group(tenant, fingerprint=fingerprint, occurrences=2)
    make_group(other, fingerprint=fingerprint, occurrences=40)
    foreign = make_group(other).fingerprint
    staff = client_of(make_staff(tenant, may=["view_event"]))
    [line] = staff.get(LIST).context["lines"]
    assert (line.failure.fingerprint, line.failure.occurrences) == (fingerprint, 2)
    assert staff.get(url_of(foreign)).status_code == 404
    assert staff.get(url_of(fingerprint)).context["failure"].occurrences == 2
    everybody = client_of(make_superuser()).get(url_of(fingerprint)).context
    assert (everybody["failure"].occurrences, len(everybody["hits"])) == (42, 2)


def test_table_refreshes_itself_without_the_frame(tenant: Tenant, root: Client) -> None:
    make_group(tenant)
    page = root.get(LIST, {"state": "all"}).content.decode()
    assert f'hx-get="{LIST}?state=all"' in page
    part = root.get(LIST, {"state": "all"}, headers=HTMX).content.decode()
    assert part.strip().startswith("<section")
    assert "<html" not in part


def test_list_runs_the_same_queries_for_one_failure_and_for_many(
    tenant: Tenant, root: Client, django_assert_num_queries: Any
) -> None:
    make_group(tenant)
    with django_assert_num_queries(LIST_QUERIES):
        root.get(LIST)
    for number in range(40):
        make_group(tenant, handler=f"handler_{number}", owner=make_user(tenant))
    with django_assert_num_queries(LIST_QUERIES + 1):
        assert len(listed(root)) == 41


# Session, user, membership; savepoint, time limit, handlers, groups, release; and where there are
# owners, those. What stands, there and in the sidebar's badge, and the sparklines are read past
# Django.
LIST_QUERIES = 8


# --- One failure --------------------------------------------------------------------------------


def test_page_tells_what_fails_where_and_how_often(
    tenant: Tenant, root: Client, settle_events: Any
) -> None:
    group = make_failure(3, error="no rate for EUR")
    response = root.get(url_of(group.fingerprint))
    page, shown = response.content.decode(), response.context
    assert "ValueError: no rate for EUR" in page
    assert (shown["failure"].occurrences, shown["failure"].standing) == (3, 3)
    assert [raised.error for raised in shown["chain"]] == ["ValueError: no rate for EUR"]
    assert len(shown["events"]) == 3
    selection = Selection(group=str(group.fingerprint))
    for name in (addresses.PLAN, addresses.CORRECT):
        assert f'href="{plan_url(selection, name)}"' in page
    assert f'href="{list_url(selection)}"' in page


def test_page_lists_the_replays_that_set_out_to_cure_it(tenant: Tenant, root: Client) -> None:
    group = make_group(tenant)
    selection = Selection(group=str(group.fingerprint)).as_json()
    replay = Replay.objects.create(tenant=tenant, selection=selection, reason="mended", selected=3)
    Replay.objects.create(tenant=tenant, selection={"group": str(uuid4())}, reason="another")
    response = root.get(url_of(group.fingerprint))
    assert response.context["replays"] == [replay]
    assert "event-running" in response.content.decode()
    Replay.objects.filter(pk=replay.pk).update(status=Replay.Status.FINISHED)
    assert "event-running" not in root.get(url_of(group.fingerprint)).content.decode()


def test_failure_that_came_back_says_so(tenant: Tenant, root: Client) -> None:
    group = make_group(tenant, reopened_at=timezone.now())
    for url in (LIST, url_of(group.fingerprint)):
        assert "came back" in root.get(url).content.decode()


def test_page_runs_the_same_queries_for_one_event_and_for_many(
    tenant: Tenant, root: Client, settle_events: Any, django_assert_num_queries: Any
) -> None:
    group = make_failure()
    with django_assert_num_queries(PAGE_QUERIES):
        root.get(url_of(group.fingerprint))
    make_failure(30)
    assert Delivery.objects.filter(group_id=group.pk, status=EventStatus.FAILED).count() == 31
    with django_assert_num_queries(PAGE_QUERIES):
        root.get(url_of(group.fingerprint))


# Session, user, membership; savepoint, time limit, groups, traceback, tenants, newest events,
# replays, audit, owners, release.
PAGE_QUERIES = 13


# --- Triage of several --------------------------------------------------------------------------

SEVERAL = reverse("admin:events_failures_triage")


def triage_all(client: Client, verb: str, *fingerprints: Any, query: str = "") -> Any:
    form = {"verb": verb, "fingerprint": [str(each) for each in fingerprints]}
    return client.post(f"{SEVERAL}{query}", form, follow=True)


@pytest.mark.parametrize(
    ("verb", "state"), [("acknowledge", "acknowledged"), ("mute", "muted"), ("resolve", "resolved")]
)
def test_several_are_decided_about_at_once_each_with_its_line(
    tenant: Tenant, verb: str, state: str
) -> None:
    groups = [make_group(tenant) for _number in range(3)]
    untouched = make_group(tenant)
    staff = make_staff(tenant, may=["view_event", "triage_failuregroup"])
    page = triage_all(client_of(staff), verb, *(group.fingerprint for group in groups))
    assert f"3 failures: {VERBS[verb].done}" in said_on(page)
    assert set(FailureGroup.unscoped.filter(state=state)) == set(groups)
    lines = AuditLine.objects.filter(actor=staff, action=f"failure.{state}")
    prints = set(lines.values_list("target_id", flat=True))
    assert prints == {str(group.fingerprint) for group in groups}
    assert FailureGroup.unscoped.get(pk=untouched.pk).state == State.OPEN


def test_what_is_so_already_and_what_is_not_seen_stays_as_it_was(tenant: Tenant) -> None:
    group, muted = make_group(tenant), make_group(tenant, state="muted")
    foreign = make_group(make_tenant())
    staff = client_of(make_staff(tenant, may=["view_event", "triage_failuregroup"]))
    prints = [each.fingerprint for each in (group, muted, foreign)]
    said = said_on(triage_all(staff, "mute", *prints, uuid4()))
    assert f"1 failure: {VERBS['mute'].done}" in said
    assert "3 are as they were." in said
    assert FailureGroup.unscoped.get(pk=foreign.pk).state == State.OPEN


def test_list_stays_narrowed_when_several_are_decided_about(tenant: Tenant, root: Client) -> None:
    group = make_group(tenant, state="acknowledged")
    page = triage_all(root, "resolve", group.fingerprint, query="?state=acknowledged&q=mail")
    assert page.redirect_chain == [(f"{LIST}?state=acknowledged&q=mail", 302)]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"verb": "mute"}, "Tick at least one failure."),
        ({"verb": "mute", "fingerprint": "nonsense"}, "There is no such failure."),
        ({"verb": "delete", "fingerprint": str(uuid4())}, "There is no such action."),
        (
            {"verb": "mute", "fingerprint": [str(uuid4()) for _number in range(201)]},
            "at most 200",
        ),
    ],
)
def test_form_that_decides_nothing_says_why(
    tenant: Tenant, root: Client, form: dict[str, Any], said: str
) -> None:
    make_group(tenant)
    assert said in " ".join(said_on(root.post(SEVERAL, form, follow=True)).split())
    assert not AuditLine.objects.exists()


def test_who_may_not_triage_ticks_nothing(tenant: Tenant) -> None:
    group = make_group(tenant)
    viewer = client_of(make_staff(tenant, may=["view_event"]))
    page = viewer.get(LIST).content.decode()
    assert 'name="fingerprint"' not in page
    assert 'aria-disabled="true"' in page
    assert triage_all(viewer, "mute", group.fingerprint).status_code == 403


# --- Triage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [
        ("acknowledge", State.OPEN, State.ACKNOWLEDGED),
        ("resolve", State.ACKNOWLEDGED, State.RESOLVED),
        ("mute", State.OPEN, State.MUTED),
        ("reopen", State.RESOLVED, State.OPEN),
    ],
)
def test_button_changes_the_state_once(tenant: Tenant, verb: str, before: str, after: str) -> None:
    group = make_group(tenant, state=before)
    staff = client_of(make_staff(tenant, may=["view_event", "triage_failuregroup"]))
    assert str(VERBS[verb].done) in said_on(triage(staff, group, verb))
    assert FailureGroup.unscoped.get().state == after
    assert "Somebody was faster" in said_on(triage(staff, group, verb))
    assert AuditLine.objects.count() == 2


def test_only_what_can_be_done_is_offered(tenant: Tenant, root: Client) -> None:
    group = make_group(tenant, state=State.RESOLVED)
    verbs = root.get(url_of(group.fingerprint)).context["verbs"]
    assert [verb.name for verb in verbs] == ["reopen"]


def test_owner_note_and_ticket_are_kept(tenant: Tenant, root: Client) -> None:
    group, owner = make_group(tenant), make_staff(tenant)
    triage(root, group, "assign", owner=str(owner.pk))
    triage(root, group, "annotate", note=" bank is down ", ticket_url="https://example.com/1")
    kept = FailureGroup.unscoped.get()
    assert (kept.owner, kept.note, kept.ticket_url) == (
        owner,
        "bank is down",
        "https://example.com/1",
    )
    triage(root, group, "assign", owner="")
    assert FailureGroup.unscoped.get().owner is None


@pytest.mark.parametrize(
    ("verb", "form"),
    [
        ("assign", {"owner": "999999"}),
        ("assign", {"owner": "9" * 30}),
        ("assign", {"owner": "somebody"}),
        ("annotate", {"ticket_url": "javascript:alert(1)"}),
        ("annotate", {"note": "x" * 20_000}),
        ("annotate", {"note": "\x00"}),
        ("destroy", {}),
        ("", {}),
    ],
)
def test_form_that_cannot_be_heeded_changes_nothing(
    tenant: Tenant, root: Client, verb: str, form: dict[str, str]
) -> None:
    group = make_group(tenant, note="as it was")
    assert said_on(triage(root, group, verb, **form))
    kept = FailureGroup.unscoped.get()
    assert (kept.owner, kept.note, kept.ticket_url, kept.state) == (None, "as it was", "", "open")


def form_of(client: Client, group: FailureGroup) -> dict[str, str]:
    """What the page's forms send along of what they show."""
    versions = client.get(url_of(group.fingerprint)).context["failure"].known.versions
    return {f"seen_{name}": version for name, version in versions.items()}


def test_stale_form_overwrites_nothing_and_keeps_what_was_written(
    tenant: Tenant, root: Client
) -> None:
    group = make_group(tenant, note="as it was")
    mine = form_of(root, group)
    other = make_superuser()
    theirs = form_of(client_of(other), group)
    triage(client_of(other), group, "annotate", note="ask the <b>bank</b>", ticket_url="", **theirs)
    form = {**mine, "note": "call\r\nJohn", "ticket_url": "https://example.com/7"}
    response = triage(root, group, "annotate", **form)
    assert response.status_code == 409
    kept = FailureGroup.unscoped.get()
    assert (kept.note, kept.ticket_url) == ("ask the <b>bank</b>", "")
    [conflict] = response.context["conflicts"]
    assert (conflict.who, conflict.text) == (str(other), "ask the <b>bank</b>")
    assert conflict.when == AuditLine.objects.earliest("id").created_at
    page = response.content.decode()
    assert f"Not saved: {other} has changed “Note” since you opened this page." in page
    assert "ask the &lt;b&gt;bank&lt;/b&gt;" in page
    assert ">call\nJohn</textarea>" in page
    assert 'value="https://example.com/7"' in page
    tried = AuditLine.objects.latest("id")
    assert (tried.reason, tried.details["changed"], tried.details["conflicts"]) == (
        "call\nJohn",
        0,
        ["note"],
    )
    # Who saves it again has seen what it replaces.
    versions = response.context["failure"].known.versions
    form |= {f"seen_{name}": version for name, version in versions.items()}
    assert triage(root, group, "annotate", **form).status_code == 200
    assert FailureGroup.unscoped.get().note == "call\nJohn"


def test_forms_that_change_different_things_are_both_kept(tenant: Tenant, root: Client) -> None:
    group = make_group(tenant, note="as it was")
    seen = form_of(root, group)
    ticket = "https://example.com/7"
    triage(root, group, "annotate", note="as it was", ticket_url=ticket, **seen)
    triage(root, group, "annotate", note="ask the bank", ticket_url="", **seen)
    triage(root, group, "assign", owner=str(make_staff(tenant).pk), **seen)
    kept = FailureGroup.unscoped.get()
    assert (kept.note, kept.ticket_url) == ("ask the bank", ticket)
    assert kept.owner is not None


def test_owner_that_somebody_has_named_meanwhile_stays(tenant: Tenant, root: Client) -> None:
    group, mine, theirs = make_group(tenant), make_staff(tenant), make_staff(tenant)
    seen = form_of(root, group)
    triage(root, group, "assign", owner=str(theirs.pk), **seen)
    assert triage(root, group, "assign", owner=str(theirs.pk), **seen).status_code == 200
    response = triage(root, group, "assign", owner=str(mine.pk), **seen)
    assert response.status_code == 409
    assert FailureGroup.unscoped.get().owner == theirs
    assert f'<option value="{mine.pk}" selected>' in response.content.decode()


def test_what_cannot_be_kept_stays_in_its_form(tenant: Tenant, root: Client) -> None:
    group = make_group(tenant)
    form = {"note": "a long story", "ticket_url": "ticket 7"}
    response = triage(root, group, "annotate", **form)
    assert response.status_code == 400
    page = response.content.decode()
    assert ">a long story</textarea>" in page
    assert 'value="ticket 7"' in page


def test_triage_leaves_other_tenants_alone(tenant: Tenant) -> None:
    fingerprint, other = uuid4(), make_tenant()
    mine = make_group(tenant, fingerprint=fingerprint)
    with tenant_context(other):
        theirs = make_group(other, fingerprint=fingerprint)
    staff = client_of(make_staff(tenant, may=["view_event", "triage_failuregroup"]))
    triage(staff, mine, "resolve")
    states = dict(FailureGroup.unscoped.values_list("pk", "state"))
    assert states == {mine.pk: State.RESOLVED, theirs.pk: State.OPEN}


def test_triage_wants_a_post_and_its_permission(tenant: Tenant, root: Client) -> None:
    url = url_of(make_group(tenant).fingerprint, "failure_triage")
    assert root.get(url).status_code == 405
    viewer = client_of(make_staff(tenant, may=["view_event"]))
    assert viewer.post(url, {"verb": "resolve"}).status_code == 403
