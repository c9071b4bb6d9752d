"""Sequences over HTTP: written, published, and leads taken in."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from channels.models import Account
from channels.sequences.models import Enrolment, Sequence, WorkCalendar
from channels.sequences.pausing import pause_sequence
from leads.services import create_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Membership, Tenant
from tests.api.clients import ApiClient, api_of, fields_of
from tests.factories import make_tenant, make_user
from tests.sequences.engine.factories import enrol_one, mail, make_contact, make_sequence

MAIL = {"kind": "message", "variants": [{"subject": "Hi", "body": "Dear {{ first_name }}"}]}
WAIT = {"kind": "wait", "wait": {"amount": 3}}


@pytest.fixture
def api(tenant: Tenant) -> ApiClient:
    """A caller with a key of the current tenant."""
    return api_of(tenant)


def post(api: ApiClient, path: str, body: Any = None, status: int = 201) -> Any:
    response = api.post(path, body)
    assert response.status_code == status, response.content
    return response.json()


def path_of(sequence: Sequence, what: str = "") -> str:
    return f"/api/sequences/{sequence.pk}{what}"


def test_sequence_is_written_published_and_read(api: ApiClient) -> None:
    made = post(api, "/api/sequences", {"name": "Welcome", "content": {"steps": [MAIL, WAIT]}})
    assert (made["state"], made["version"], made["published"]) == ("draft", None, None)
    steps = made["draft"]["content"]["steps"]
    assert [step["kind"] for step in steps] == ["message", "wait"]
    assert steps[0]["channel"] == "email"
    path = f"/api/sequences/{made['id']}"
    told = post(api, f"{path}/publish", {"revision": made["draft"]["revision"]}, 200)
    assert (told["state"], told["version"], told["draft"]) == ("active", 1, None)
    assert told["published"]["content"]["steps"] == steps
    assert api.get(path).json() == told
    assert [each["name"] for each in api.results("/api/sequences?state=active")] == ["Welcome"]
    assert api.results("/api/sequences?state=paused") == []


def test_wrong_content_is_named_by_its_place(api: ApiClient) -> None:
    content = {"steps": [MAIL, {"kind": "wait", "wait": {"amount": 999}}, {"kind": "fax"}]}
    response = api.post("/api/sequences", {"name": "Welcome", "content": content})
    assert response.status_code == 400
    assert any(name.startswith("content.steps.1") for name in fields_of(response))
    assert any(name.startswith("content.steps.2") for name in fields_of(response))
    assert not Sequence.objects.exists()


def test_calendar_that_is_not_there_or_of_another_team_is_named(
    api: ApiClient, tenant: Tenant
) -> None:
    own = WorkCalendar.objects.get()
    theirs = WorkCalendar.unscoped.get(tenant=make_tenant())
    for calendar, status in ((own.pk, 201), (theirs.pk, 400), (uuid7(), 400)):
        content = {"steps": [MAIL], "calendar_id": str(calendar)}
        response = api.post("/api/sequences", {"name": f"With {calendar}", "content": content})
        assert response.status_code == status
        assert status == 201 or list(fields_of(response)) == ["content.calendar_id"]


def test_account_through_which_no_mails_go_is_named(api: ApiClient) -> None:
    other = Account.objects.get(channel="whatsapp")
    for is_rehearsal in (True, False):
        body = {
            "leads": [str(make_contact().pk)],
            "account": str(other.pk),
            "dry_run": is_rehearsal,
        }
        response = api.post(path_of(make_sequence(mail()), "/enrolments"), body)
        assert response.status_code == 400
        assert list(fields_of(response)) == ["account"]
    assert not Enrolment.objects.exists()


def test_what_cannot_be_published_is_said(api: ApiClient) -> None:
    broken = {"kind": "message", "variants": [{"subject": "Hi", "body": "{{ fist_name }}"}]}
    made = post(api, "/api/sequences", {"name": "Welcome", "content": {"steps": [broken]}})
    response = api.post(f"/api/sequences/{made['id']}/publish")
    assert response.status_code == 400
    [reasons] = fields_of(response).values()
    assert "no variable" in reasons[0]


def test_edit_goes_into_a_draft_and_overwrites_nobodys(api: ApiClient) -> None:
    sequence = make_sequence(mail("Old"))
    edit = {"content": {"steps": [WAIT, MAIL]}, "revision": 0}
    assert api.patch(path_of(sequence), edit).json()["draft"]["number"] == 2
    stale = api.patch(path_of(sequence), edit)
    assert stale.status_code == 409
    assert stale.json()["error"]["code"] == "conflict"
    assert api.post(path_of(sequence, "/publish"), {"revision": 9}).status_code == 409
    assert post(api, path_of(sequence, "/publish"), {"revision": 1}, 200)["version"] == 2


def test_sequence_turns_only_where_it_can(api: ApiClient) -> None:
    sequence = make_sequence(mail())
    for state in ("paused", "active", "archived", "active"):
        assert api.patch(path_of(sequence), {"state": state}).json()["state"] == state
    assert api.patch(path_of(sequence), {"state": "draft"}).status_code == 409
    both = {"name": "Renamed", "state": "draft"}
    assert api.patch(path_of(sequence), both).status_code == 409
    # All of it or nothing.
    assert Sequence.objects.get(pk=sequence.pk).name == sequence.name


def test_clone_is_another_sequence(api: ApiClient) -> None:
    sequence = make_sequence(mail())
    made = post(api, path_of(sequence, "/clone"), {"name": "Twin"})
    assert (made["name"], made["state"]) == ("Twin", "draft")
    assert api.post(path_of(sequence, "/clone"), {"name": "Twin"}).status_code == 400


def test_leads_come_in_and_the_others_are_told(api: ApiClient, tenant: Tenant) -> None:
    sequence, lead, silent = make_sequence(mail()), make_contact(), create_lead(name="Silent")
    sender = make_user(tenant)
    body = {"leads": [str(lead.pk), str(silent.pk)], "sender": sender.email}
    told = post(api, path_of(sequence, "/enrolments"), body)
    [row] = told["enrolled"]
    assert (row["lead_id"], row["state"], row["source"]) == (str(lead.pk), "active", "api")
    assert row["sender"]["id"] == sender.pk
    assert told["refused"] == [
        {
            "lead": str(silent.pk),
            "reason": "no_address",
            "message": "has no address that it writes to",
        }
    ]
    assert api.results(f"/api/enrolments?lead={lead.pk}&state=active") == [row]
    assert api.results(f"/api/enrolments?sequence={uuid7()}") == []


def test_dry_run_writes_nothing(api: ApiClient) -> None:
    sequence = make_sequence(mail("Dear {{ company }}"))
    leads = [str(make_contact().pk), str(create_lead(name="Silent").pk)]
    body = {"leads": leads, "dry_run": True}
    told = post(api, path_of(sequence, "/enrolments"), body, 200)
    assert (told["dry_run"], told["starting"], told["enrolled"]) == (True, 1, [])
    assert told["obstacles"] == {"nothing is known for “company”": 1}
    assert not Enrolment.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"leads": []}, "leads"),
        ({"leads": [str(uuid7())]}, "leads"),
        ({"sender": "nobody@example.com"}, "sender"),
        ({"account": str(uuid7())}, "account"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_enrolment_is_refused(api: ApiClient, change: dict[str, Any], field: str) -> None:
    sequence = make_sequence(mail())
    body = {"leads": [str(make_contact().pk)], **change}
    response = api.post(path_of(sequence, "/enrolments"), body)
    assert response.status_code == 400
    assert {name.partition(".")[0] for name in fields_of(response)} == {field}
    assert not Enrolment.objects.exists()


def test_draft_and_archived_sequences_take_nobody_in(api: ApiClient) -> None:
    made = post(api, "/api/sequences", {"name": "Fresh"})
    body = {"leads": [str(make_contact().pk)]}
    response = api.post(f"/api/sequences/{made['id']}/enrolments", body)
    assert response.status_code == 400
    assert "sequence" in fields_of(response)


def test_paused_sequence_takes_leads_in(api: ApiClient) -> None:
    sequence = make_sequence(mail())
    pause_sequence(sequence, actor=None)
    body = {"leads": [str(make_contact().pk)]}
    assert post(api, path_of(sequence, "/enrolments"), body)["starting"] == 1


def test_somebody_waits_goes_on_and_leaves(api: ApiClient) -> None:
    enrolment = enrol_one(make_sequence(mail()))
    path = f"/api/enrolments/{enrolment.pk}"
    assert api.post(f"{path}/resume").status_code == 409
    assert post(api, f"{path}/pause", status=200)["state"] == "paused"
    assert api.post(f"{path}/pause").status_code == 409
    assert post(api, f"{path}/resume", status=200)["state"] == "active"
    assert post(api, f"{path}/stop", status=200)["reason"] == "by_hand"
    # Twice is once.
    assert post(api, f"{path}/stop", status=200)["reason"] == "by_hand"


def test_fault_of_ours_is_told_without_its_details(api: ApiClient) -> None:
    blocked, broken = enrol_one(make_sequence(mail())), enrol_one(make_sequence(mail()))
    for row, obstacle, names in (
        (blocked, "missing", ["company"]),
        (broken, "broken", ["ValueError: of the database"]),
    ):
        Enrolment.objects.filter(pk=row.pk).update(
            next_step_at=None, waiting_for="person", obstacle=obstacle, obstacle_names=names
        )
    told = {each["obstacle"]: each["obstacle_names"] for each in api.results("/api/enrolments")}
    assert told == {"missing": ["company"], "broken": []}


def test_paused_sequence_with_leads_in_it_is_not_archived(api: ApiClient) -> None:
    sequence = make_sequence(mail())
    enrol_one(sequence)
    pause_sequence(sequence, actor=None)
    response = api.patch(path_of(sequence), {"state": "archived"})
    assert response.status_code == 400
    assert list(fields_of(response)) == ["state"]


def test_statistics_tell_each_step(api: ApiClient) -> None:
    sequence = make_sequence(mail(), mail("More", ""))
    enrol_one(sequence)
    told = api.get(path_of(sequence, "/statistics")).json()
    assert told["people"]["active"] == 1
    assert [step["number"] for step in told["steps"]] == [1, 2]
    [variant] = told["steps"][0]["variants"]
    assert (variant["label"], variant["reply_rate"]) == ("A", [0.0, 1.0])


def test_idempotency_key_takes_in_once(api: ApiClient) -> None:
    sequence, lead = make_sequence(mail()), make_contact()
    body = {"leads": [str(lead.pk)]}
    answers = [
        api.request("POST", path_of(sequence, "/enrolments"), body, Idempotency_Key="once")
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert Enrolment.objects.count() == 1


def test_rep_enrols_and_builds_nothing(tenant: Tenant) -> None:
    rep = ApiClient(user=make_user(tenant))
    sequence, lead = make_sequence(mail()), make_contact()
    assert rep.get(path_of(sequence)).status_code == 200
    for method, path, body in (
        ("POST", "/api/sequences", {"name": "Mine"}),
        ("PATCH", path_of(sequence), {"state": "paused"}),
        ("POST", path_of(sequence, "/publish"), {}),
        ("POST", path_of(sequence, "/clone"), {"name": "Mine"}),
    ):
        assert rep.request(method, path, body).status_code == 403
    told = post(rep, path_of(sequence, "/enrolments"), {"leads": [str(lead.pk)]})
    assert told["starting"] == 1
    manager = ApiClient(user=make_user(tenant, Membership.Role.MANAGER))
    assert manager.patch(path_of(sequence), {"state": "paused"}).status_code == 200


def test_lead_of_another_team_is_told_like_none(api: ApiClient) -> None:
    sequence, nobody = make_sequence(mail()), str(uuid7())
    with tenant_context(make_tenant()):
        theirs = str(make_contact().pk)
    answers = [
        fields_of(api.post(path_of(sequence, "/enrolments"), {"leads": [lead]}))
        for lead in (theirs, nobody)
    ]
    texts = [str(answer).replace(theirs, "…").replace(nobody, "…") for answer in answers]
    assert texts[0] == texts[1]


def test_lists_take_the_same_queries_whatever_their_length(
    api: ApiClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        enrol_one(make_sequence(mail()))
    for path in ("/api/sequences", "/api/enrolments"):
        with django_assert_max_num_queries(5):
            assert len(api.results(path)) == 5
