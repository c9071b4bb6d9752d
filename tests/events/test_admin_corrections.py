"""Correcting in the console: the form of one event, the patch of many, and what differs."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import SimpleNamespace
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.console.correction_forms import PayloadForm, Typed
from events.corrections import Patch, correct_event
from events.corrections.patches import MOST_CHANGES
from events.corrections.previewing import comparisons_of
from events.models import Delivery, Event, Replay
from events.payloads import MASKED
from events.publishing import Draft, publish_many
from events.replays import advance_running_replays, plan_replay
from events.replays.actions import start
from events.replays.filling import fill_plans
from events.selections import Selection
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.events.factories import make_failed_event
from tests.events.payloads import AccountOpened
from tests.events.switches import Switch
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser, said_on
from tests.web import Page

Settle = Callable[[], int]
TYPE = "thing.happened"
MANY = reverse("admin:events_correct")
MAY_EDIT = ["view_event", "correct_event"]
# Session, user, transaction and its limit, and what the page itself reads.
MOST_QUERIES = 11

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Client:
    """The browser of a superuser."""
    return client_of(make_superuser())


def url_of(event: Event) -> str:
    return reverse("admin:events_event_correct", args=[event.pk])


def fail(event: Event) -> None:
    """Have the event failed at a handler."""
    Event.unscoped.filter(pk=event.pk).update(status="failed")
    Delivery.objects.create(event=event, handler="picky", status="failed")


def typed(response: Any) -> dict[str, Any]:
    """What the form of a page would send as it stands."""
    form, decision = response.context["payload"], response.context["decision"]
    values = {field.html_name: field.initial for field in form}
    chosen = [choice.name for choice in decision.choices if choice.is_chosen]
    return {**values, "handlers": chosen, "reason": "a typo"}


def article_of(response: Any) -> Page:
    """What the console wrote on a page, checked; what is around it is the theme's."""
    text = response.content.decode()
    start, end = text.index("<article"), text.index("</article>") + len("</article>")
    page = Page(SimpleNamespace(content=text[start:end].encode()))
    assert not page.errors
    return page


def corrections_of(event: Event) -> list[Event]:
    return list(Event.unscoped.filter(corrects_id=event.pk))


# --- One event ----------------------------------------------------------------------------------


def test_form_corrects_the_event_and_shows_the_correction(tenant: Tenant, root: Client) -> None:
    event = make_failed_event()
    page = root.get(url_of(event))
    article_of(page)
    response = root.post(url_of(event), {**typed(page), "payload-number": "14"}, follow=True)
    [correction] = corrections_of(event)
    assert correction.payload == {**event.payload, "number": 14}
    assert response.redirect_chain[-1][0] == reverse(
        "admin:events_event_change", args=[correction.pk]
    )
    assert "The correction was published" in said_on(response)


def test_replay_that_its_reader_may_not_see_is_not_named(tenant: Tenant) -> None:
    """A superuser's over several tenants, for a reason that is another's business."""
    event, switch = make_failed_event(handlers=("s",)), Switch()
    switch.on = True
    with tenant_context(make_tenant()):
        make_failed_event(handlers=("s",))
    with handler_of(TYPE, function=switch, name="s"):
        root = make_superuser()
        replay = plan_replay(Selection(status="failed"), Event.unscoped.all(), actor=root)
        start(replay, actor=root, reason="because Globex complained")
        advance_running_replays()
        settle([event.pk])
    for client, is_told in (
        (client_of(make_staff(tenant, may=MAY_EDIT)), False),
        (client_of(root), True),
    ):
        page = client.get(url_of(event))
        assert page.status_code == 409
        assert ("because Globex complained" in page.content.decode()) == is_told


def test_error_stands_at_the_field(tenant: Tenant, root: Client) -> None:
    event = make_failed_event()
    given = {**typed(root.get(url_of(event))), "payload-number": "many"}
    response = root.post(url_of(event), given)
    [error] = response.context["payload"].errors["number"]
    assert "valid integer" in error
    assert 'value="many"' in response.content.decode()
    assert not corrections_of(event)


def test_reason_and_a_handler_are_asked_for(tenant: Tenant, root: Client) -> None:
    event = make_failed_event()
    given = {**typed(root.get(url_of(event))), "payload-number": "14", "reason": " "}
    response = root.post(url_of(event), {**given, "handlers": []})
    assert set(response.context["decision"].errors) == {"reason", "handlers"}
    article_of(response)
    assert not corrections_of(event)


def test_who_was_faster_is_named(tenant: Tenant, root: Client) -> None:
    event, colleague = make_failed_event(), make_superuser()
    given = {**typed(root.get(url_of(event))), "payload-number": "14"}
    correct_event(event, {**event.payload, "number": 15}, actor=colleague, reason="a typo")
    response = root.post(url_of(event), given)
    text = article_of(response).text
    assert response.status_code == 409
    assert "This event was not corrected" in text
    assert f"{colleague} corrected it" in text
    assert len(corrections_of(event)) == 1


def test_nothing_changed_is_said(tenant: Tenant, root: Client) -> None:
    event = make_failed_event()
    response = root.post(url_of(event), typed(root.get(url_of(event))))
    assert "Nothing is changed" in article_of(response).text


@pytest.mark.parametrize(
    ("may", "status"),
    [([], 403), (["view_event"], 403), (["correct_event"], 403), (MAY_EDIT, 200)],
)
def test_editing_wants_its_permission(tenant: Tenant, may: list[str], status: int) -> None:
    event = make_failed_event()
    client = client_of(make_staff(tenant, may=may))
    assert client.get(url_of(event)).status_code == status
    given = {"payload-number": "14", "handlers": "picky", "reason": "a typo"}
    if status == 403:
        assert client.post(url_of(event), given).status_code == 403
        assert not corrections_of(event)


def test_event_of_another_tenant_is_not_there(tenant: Tenant) -> None:
    event = make_failed_event()
    client = client_of(make_staff(make_tenant(), may=MAY_EDIT))
    given = {"payload-number": "14", "handlers": "picky", "reason": "a typo"}
    assert client.get(url_of(event)).status_code == 404
    assert client.post(url_of(event), given).status_code == 404
    assert not corrections_of(event)


def test_external_handler_is_not_ticked_and_wants_its_permission(tenant: Tenant) -> None:
    with handler_of(TYPE, function=print, name="calls", effects="external", on_replay="skip"):
        event = make_failed_event(handlers=("picky", "calls"))
        client = client_of(make_staff(tenant, may=MAY_EDIT))
        page = client.get(url_of(event))
        given = {**typed(page), "payload-number": "14"}
        assert given["handlers"] == ["picky"]
        assert "Can replay with external effects" in article_of(page).text
        forged = {**given, "handlers": ["picky", "calls"]}
        assert client.post(url_of(event), forged).status_code == 403
        assert not corrections_of(event)
        may = [*MAY_EDIT, "replay_event", "replay_external"]
        client_of(make_staff(tenant, may=may)).post(url_of(event), forged)
    [correction] = corrections_of(event)
    assert set(correction.deliveries.values_list("status", flat=True)) == {"pending"}


def test_masked_field_is_not_on_the_page_and_stays(tenant: Tenant, root: Client) -> None:
    account = AccountOpened(account_id=uuid7(), number="DE-1", secret="hush hush")
    [event] = publish_many([Draft(account)])
    fail(event)
    page = root.get(url_of(event))
    text = page.content.decode()
    assert "hush" not in text
    assert "DE-1" in text
    assert {field.name for field in page.context["payload"]} == {"owner"}
    root.post(url_of(event), {**typed(page), "payload-owner": "Lena", "payload-secret": "mine"})
    [correction] = corrections_of(event)
    assert correction.payload == {**event.payload, "owner": "Lena"}


def test_key_that_the_type_does_not_know_any_more_is_left_out_visibly(
    tenant: Tenant, root: Client
) -> None:
    event = make_failed_event()
    Event.unscoped.filter(pk=event.pk).update(payload={**event.payload, "legacy": 1})
    page = root.get(url_of(event))
    assert page.context["payload"].left_out == ["legacy"]
    root.post(url_of(event), typed(page))
    [correction] = corrections_of(event)
    assert correction.payload == event.payload


@pytest.mark.parametrize(
    "payload",
    ["'[1]'::jsonb", "jsonb_build_object('x', repeat('[', 5000)::text || 'x')"],
)
def test_payload_of_another_shape_shows_harmlessly(
    tenant: Tenant, root: Client, payload: str
) -> None:
    event = make_failed_event()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE events SET payload = {payload}")
    assert root.get(url_of(event)).status_code in (200, 409)


def test_payload_that_is_too_deep_or_too_large_is_refused_with_a_reason(
    tenant: Tenant, root: Client
) -> None:
    event = make_failed_event()
    for value, said in (("[" * 3000 + "]" * 3000, "deeply"), (f'"{"x" * 300_000}"', "too large")):
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE events SET payload = jsonb_build_object('x', %s::jsonb)", [value]
            )
        response = root.get(url_of(event))
        assert response.status_code == 409
        assert said in article_of(response).text


def test_script_in_a_payload_stays_text(tenant: Tenant, root: Client) -> None:
    event = make_failed_event()
    bad = "<script>alert(1)</script>\u202e"
    Event.unscoped.filter(pk=event.pk).update(payload={**event.payload, "number": bad, bad: bad})
    page = root.get(url_of(event))
    assert "<script>alert" not in page.content.decode()


def queries_of(ask: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert ask().status_code == 200
    return len(captured)


def test_pages_ask_the_same_number_of_queries_however_much_there_is(
    tenant: Tenant, root: Client
) -> None:
    event = make_failed_event(handlers=["picky"])
    url = f"{MANY}?handler=picky"

    pages: list[Callable[[], Any]] = [
        lambda: root.get(url_of(event)),
        lambda: root.get(url),
        lambda: root.post(url, rows(("set", "/number", "3"))),
    ]

    def queries() -> list[int]:
        return [queries_of(page) for page in pages]

    few = queries()
    for number in range(20):
        make_failed_event(number)
    assert queries() == few
    assert max(few) <= MOST_QUERIES


# --- How values are typed -----------------------------------------------------------------------


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("annotation", "how"),
    [
        (str, Typed(is_plain=True)),
        (Decimal, Typed(is_plain=True)),
        (UUID | None, Typed(is_plain=True, is_nullable=True)),
        (date | None, Typed(is_plain=True, is_nullable=True)),
        (bool, Typed(is_plain=True, words=("true", "false"))),
        (Literal["a", "b"], Typed(is_plain=True, words=("a", "b"))),
        (Colour | None, Typed(is_plain=True, words=("red", "blue"), is_nullable=True)),
        (list[str], Typed()),
        (dict[str, Any] | None, Typed(is_nullable=True)),
        (int | str, Typed()),
        (Annotated[str, MASKED], Typed(is_plain=True)),
    ],
)
def test_value_is_typed_as_its_type_asks(annotation: Any, how: Typed) -> None:
    assert Typed.of(annotation) == how


def test_what_nobody_touched_stays_as_it_was() -> None:
    from leads.payloads import LeadUpdated

    before = {"lead_id": str(uuid7()), "changes": {"name": {"old": "A\r\nB", "new": None}}}
    text = json.dumps(before["changes"], indent=2).replace("\n", "\r\n")
    form = PayloadForm(LeadUpdated, before, {"payload-changes": text})
    assert form.is_valid()
    assert form.after() == before


def test_json_that_is_none_is_told_with_its_place() -> None:
    from leads.payloads import LeadUpdated

    form = PayloadForm(LeadUpdated, {}, {"payload-changes": '{"a": }'})
    assert not form.is_valid()
    assert "line 1, column 7" in form.errors["changes"][0]
    for text in ("NaN", "9" * 5000):
        form = PayloadForm(LeadUpdated, {}, {"payload-changes": text})
        assert "cannot be stored" in form.errors["changes"][0]


def test_input_that_is_emptied_means_null_where_null_is_allowed() -> None:
    from leads.payloads import LeadLost

    before = {"lead_id": str(uuid7()), "reason": "price", "owner_id": 5, "value": "10.00"}
    form = PayloadForm(LeadLost, before, {"payload-owner_id": "", "payload-reason": ""})
    assert form.is_valid()
    after = form.after()
    assert (after["owner_id"], after["value"], after["reason"]) == (None, None, "")


# --- Many events --------------------------------------------------------------------------------


def rows(*changes: tuple[str, str, str]) -> dict[str, str]:
    """The form of a patch: (operation, path, value) of each row."""
    filled = [*changes, *[("set", "", "")] * 4][:4]
    return {
        f"change-{number}-{name}": value
        for number, row in enumerate(filled)
        for name, value in zip(("operation", "path", "value"), row, strict=True)
    }


def plan(client: Client, *changes: tuple[str, str, str]) -> Any:
    """Preview a patch of what failed at “picky”, and plan it."""
    url = f"{MANY}?handler=picky"
    previewed = client.post(url, rows(*changes)).context["previewed"]
    return client.post(url, {**rows(*changes), "plan": previewed})


def test_patch_that_was_not_previewed_is_previewed_and_not_planned(
    tenant: Tenant, root: Client
) -> None:
    make_failed_event()
    url = f"{MANY}?handler=picky"
    seen = root.post(url, rows(("set", "/number", "3")))
    for value, sent in (("4", seen.context["previewed"]), ("3", "1")):
        response = root.post(url, {**rows(("set", "/number", value)), "plan": sent})
        assert "look again" in said_on(response)
        assert response.context["preview"].corrected == 1
    assert not Replay.objects.exists()


def test_patch_may_have_more_rows_than_are_there_at_first(tenant: Tenant, root: Client) -> None:
    make_failed_event()
    url = f"{MANY}?handler=picky"
    assert len(root.get(url).context["form"].rows) == 4
    filled = {f"change-{n}-{k}": v for n in range(4) for k, v in CHANGE.items()}
    assert len(root.post(url, filled).context["form"].rows) == 8
    fifth = {f"change-4-{name}": value for name, value in CHANGE.items()}
    patch = json.loads(root.post(url, {**filled, **fifth}).context["previewed"])
    assert len(patch) == 5
    last = {f"change-19-{name}": value for name, value in CHANGE.items()}
    assert len(root.post(url, last).context["form"].rows) == MOST_CHANGES


CHANGE = {"operation": "set", "path": "/number", "value": "3"}


def test_patch_is_previewed_and_nothing_is_written(tenant: Tenant, root: Client) -> None:
    events = [make_failed_event(number) for number in range(7)]
    url = f"{MANY}?handler=picky"
    article_of(root.get(url))
    response = root.post(url, {**rows(("set", "/number", "3")), "preview": "1"})
    preview = response.context["preview"]
    assert (preview.checked, preview.corrected, len(preview.samples)) == (7, 6, 5)
    assert list(preview.refused.values()) == [1]
    assert preview.samples[0].event.pk == events[-1].pk
    text = article_of(response).text
    assert "Tried on 7 events, the newest: 6 would be corrected." in " ".join(text.split())
    assert not Replay.objects.exists()
    assert Event.unscoped.filter(corrects_id__isnull=False).count() == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("set", "number", "3"), "path"),
        (("set", "/number", "three"), "value"),
        (("set", "", "3"), "path"),
        (("remove", "/number", "3"), "value"),
        (("rename", "/number", "3"), "operation"),
    ],
)
def test_patch_that_is_none_is_told_at_its_field(
    tenant: Tenant, root: Client, change: tuple[str, str, str], field: str
) -> None:
    make_failed_event()
    response = root.post(f"{MANY}?handler=picky", {**rows(change), "plan": "1"})
    assert set(response.context["form"].rows[0].errors) == {field}
    article_of(response)
    assert not Replay.objects.exists()


def test_empty_patch_and_empty_selection_are_refused(tenant: Tenant, root: Client) -> None:
    response = root.post(f"{MANY}?handler=picky", {**rows(), "plan": "1"})
    assert "at least one change" in response.context["form"].problem
    assert root.get(MANY).status_code == 400
    assert root.get(f"{MANY}?colour=red").status_code == 400


def test_planned_patch_corrects_each_event_once(
    tenant: Tenant, root: Client, settle_events: Settle
) -> None:
    numbers: list[int] = []
    with handler_of(TYPE, function=lambda e: numbers.append(e.payload["number"]), name="picky"):
        events = [make_failed_event(number) for number in range(5)]
        response = plan(root, ("set", "/number", "99"))
        fill_plans()
        replay = Replay.objects.get()
        late = make_failed_event(50)
        start(replay, actor=make_superuser(), reason="a typo in the import")
        for _turn in range(3):
            advance_running_replays()
            settle_events()
    replay.refresh_from_db()
    assert response.url == reverse("admin:events_replay_change", args=[replay.pk])
    assert (replay.kind, replay.selected, replay.succeeded) == ("correction", 5, 5)
    assert numbers == [99] * 5
    assert {event.corrects_id for event in Event.unscoped.filter(corrects_id__isnull=False)} == {
        event.pk for event in events
    }
    assert Event.unscoped.filter(status="failed").get() == late


@pytest.mark.parametrize("may", [["view_event"], MAY_EDIT, ["view_event", "replay_event"]])
def test_patching_wants_both_permissions(tenant: Tenant, may: list[str]) -> None:
    make_failed_event()
    client = client_of(make_staff(tenant, may=may))
    url = f"{MANY}?handler=picky"
    assert client.get(url).status_code == 403
    assert client.post(url, {**rows(("set", "/number", "3")), "plan": "1"}).status_code == 403
    assert not Replay.objects.exists()


def test_patch_tries_events_of_visible_tenants_alone(tenant: Tenant) -> None:
    make_failed_event()
    client = client_of(make_staff(make_tenant(), may=[*MAY_EDIT, "replay_event"]))
    response = client.post(f"{MANY}?handler=picky", rows(("set", "/number", "3")))
    assert response.context["preview"].checked == 0


# --- Patches ------------------------------------------------------------------------------------


def test_patch_sets_and_removes_without_touching_the_original() -> None:
    before = {"a": {"b": [1, {"c/d": 2}]}, "e": 3}
    patch = Patch.from_json(
        [
            {"op": "set", "path": "/a/b/1/c~1d", "value": [4]},
            {"op": "set", "path": "/new", "value": None},
            {"op": "remove", "path": "/e"},
        ]
    )
    assert patch.apply(before) == {"a": {"b": [1, {"c/d": [4]}]}, "new": None}
    assert before == {"a": {"b": [1, {"c/d": 2}]}, "e": 3}
    assert Patch.from_json(patch.as_json()) == patch


# --- What differs -------------------------------------------------------------------------------


def test_both_pages_can_show_what_was_changed(tenant: Tenant) -> None:
    event = make_failed_event()
    correction = correct_event(event, {**event.payload, "number": 14}, actor=None, reason="")
    [told] = comparisons_of(event, [correction])
    [seen] = comparisons_of(correction, [event])
    assert (told.is_correction, seen.is_correction) == (True, False)
    for compared in (told, seen):
        [difference] = compared.differences
        assert (difference.path, difference.before, difference.after) == ("/number", "13", "14")


def test_what_a_stopped_correction_has_left_is_edited_again(tenant: Tenant, root: Client) -> None:
    make_failed_event()
    plan(root, ("set", "/number", "3"))
    Replay.objects.update(status=Replay.Status.STOPPED, started_at=Now())
    page = root.get(reverse("admin:events_replay_change", args=[Replay.objects.get().pk]))
    assert page.context["plan_url"] == f"{MANY}?handler=picky"
    assert "Edit and replay what is left" in article_of(page).text
    assert "What is changed in each event" in article_of(page).text
