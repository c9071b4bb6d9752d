"""Failure groups over HTTP."""

from typing import Any
from uuid import UUID

import pytest

from events.models import AuditLine, FailureGroup
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Membership, Tenant
from tests.api.clients import ApiClient, fields_of
from tests.events.factories import make_failure
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def triage(api: ApiClient, fingerprint: UUID, **body: Any) -> Any:
    return api.post(f"/api/failures/{fingerprint}/triage", body)


def test_failure_tells_what_happened_where_and_how_often(api: ApiClient) -> None:
    group = make_failure(3, error="no good: 4")
    [listed] = api.results("/api/failures")
    told = api.get(f"/api/failures/{group.fingerprint}").json()
    assert told == listed
    assert told["fingerprint"] == str(group.fingerprint)
    assert (told["handler"], told["error_type"], told["message"]) == (
        "greet",
        "ValueError",
        "no good: #",
    )
    assert told["frame"] == "tests.events.switches:Switch.__call__"
    assert (told["state"], told["occurrences"], told["standing"]) == ("open", 3, 3)
    assert (sum(told["last_day"]), len(told["last_day"]), told["last_day"][-1]) == (3, 48, 3)
    assert (told["owner_id"], told["reopened_at"]) == (None, None)
    assert "Traceback" not in str(told)


def test_list_is_narrowed_sorted_and_cut_into_pages(api: ApiClient) -> None:
    for number, name in enumerate(["one", "two", "three"], start=1):
        make_failure(number, handler=name)
    FailureGroup.objects.filter(handler="two").update(state="muted")

    def names(path: str) -> list[str]:
        return [row["handler"] for row in api.walk(path)]

    assert names("/api/failures") == ["three", "two", "one"]
    assert names("/api/failures?limit=1&ordering=occurrences") == ["one", "two", "three"]
    assert names("/api/failures?state=muted") == ["two"]
    assert names("/api/failures?handler=three&state=open") == ["three"]
    assert names("/api/failures?first_seen_after=2100-01-01") == []
    assert names("/api/failures?search=THREE+valueerror") == ["three"]
    assert names("/api/failures?search=three+keyerror") == []
    assert set(fields_of(api.get("/api/failures?state=away"))) == {"state"}


def test_page_costs_the_same_for_any_number_of_failures(
    api: ApiClient, django_assert_num_queries: Any
) -> None:
    make_failure(handler="one")
    # The key, the page and its failures; their counts are the driver's.
    with django_assert_num_queries(3):
        api.results("/api/failures")
    for number in range(5):
        make_failure(handler=f"other{number}")
    with django_assert_num_queries(3):
        assert len(api.results("/api/failures")) == 6


def test_failure_is_resolved_with_a_note(api: ApiClient) -> None:
    fingerprint = make_failure().fingerprint
    told = triage(api, fingerprint, state="resolved", note="mended in 1.2").json()
    assert (told["state"], told["note"]) == ("resolved", "mended in 1.2")
    line = AuditLine.objects.get()
    assert (line.action, line.target_id, line.reason) == (
        "failure.resolved",
        str(fingerprint),
        "mended in 1.2",
    )
    assert line.actor is None


def test_owner_ticket_and_note_are_set_and_taken_away(api: ApiClient, tenant: Tenant) -> None:
    owner = make_user(tenant, Membership.Role.ADMIN, is_staff=True)
    fingerprint = make_failure().fingerprint
    told = triage(
        api, fingerprint, owner=owner.email, ticket_url="https://example.com/7", note="known"
    ).json()
    assert (told["owner_id"], told["ticket_url"], told["note"]) == (
        owner.pk,
        "https://example.com/7",
        "known",
    )
    told = triage(api, fingerprint, owner=None, ticket_url="").json()
    assert (told["owner_id"], told["ticket_url"], told["note"]) == (None, "", "known")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "non_field_errors"),
        ({"version": "0123456789abcdef"}, "non_field_errors"),
        ({"state": "away"}, "state"),
        ({"colour": "red"}, "colour"),
        ({"owner": "nobody@example.com"}, "owner"),
        ({"ticket_url": "javascript:alert(1)"}, "ticket_url"),
        ({"ticket_url": "https://example.com/" + "x" * 200}, "ticket_url"),
        ({"note": "x" * 10_001}, "note"),
        ({"note": 5}, "note"),
    ],
)
def test_wrong_request_is_told_what_is_wrong(api: ApiClient, body: Any, field: str) -> None:
    group = make_failure()
    before = FailureGroup.objects.values().get()
    response = triage(api, group.fingerprint, **body)
    assert response.status_code == 400
    assert set(fields_of(response)) == {field}
    assert FailureGroup.objects.values().get() == before
    assert not AuditLine.objects.exists()


def test_request_is_done_as_a_whole_or_not_at_all(api: ApiClient, tenant: Tenant) -> None:
    """A member of the team who does not enter the console cannot be the owner."""
    rep = make_user(tenant)
    group = make_failure()
    response = triage(api, group.fingerprint, state="muted", owner=rep.email)
    assert set(fields_of(response)) == {"owner"}
    assert FailureGroup.objects.get().state == "open"
    assert not AuditLine.objects.exists()


def test_decision_about_what_has_changed_since_is_refused_as_a_whole(
    api: ApiClient, tenant: Tenant
) -> None:
    fingerprint = make_failure().fingerprint
    read = api.get(f"/api/failures/{fingerprint}").json()
    manager = make_user(tenant, Membership.Role.MANAGER)
    told = triage(ApiClient(user=manager), fingerprint, note="theirs", version=read["version"])
    assert (told.status_code, told.json()["note"]) == (200, "theirs")
    late = triage(api, fingerprint, note="mine", state="muted", version=read["version"])
    assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")
    assert f"failure.annotated, by {manager}" in late.json()["error"]["message"]
    kept = FailureGroup.objects.get()
    assert (kept.note, kept.state) == ("theirs", "open")
    assert AuditLine.objects.count() == 1
    again = triage(api, fingerprint, note="mine", version=told.json()["version"])
    assert again.json()["note"] == "mine"


@pytest.mark.parametrize("field", ["state", "owner", "ticket_url"])
def test_version_is_another_one_after_every_decision(
    api: ApiClient, tenant: Tenant, field: str
) -> None:
    fingerprint = make_failure().fingerprint
    before = api.get(f"/api/failures/{fingerprint}").json()["version"]
    given = {
        "owner": make_user(tenant, Membership.Role.ADMIN, is_staff=True).email,
        "ticket_url": "https://example.com/7",
        "state": "muted",
    }
    told = triage(api, fingerprint, **{field: given[field]}).json()
    assert told["version"] not in ("", before)
    assert api.results("/api/failures")[0]["version"] == told["version"]


def test_unknown_failure_is_not_found(api: ApiClient) -> None:
    assert api.get(f"/api/failures/{uuid7()}").status_code == 404
    assert triage(api, uuid7(), state="muted").status_code == 404


def test_rep_reads_and_manager_triages(tenant: Tenant) -> None:
    fingerprint = make_failure().fingerprint
    for role, status in ((Membership.Role.REP, 403), (Membership.Role.MANAGER, 200)):
        api = ApiClient(user=make_user(tenant, role))
        assert api.get(f"/api/failures/{fingerprint}").status_code == 200
        response = triage(api, fingerprint, state="muted")
        assert response.status_code == status
    line = AuditLine.objects.get()
    assert line.actor is not None


def test_stranger_neither_sees_nor_changes_it(stranger: ApiClient, tenant: Tenant) -> None:
    fingerprint = make_failure().fingerprint
    assert stranger.results("/api/failures") == []
    assert stranger.get(f"/api/failures/{fingerprint}").status_code == 404
    assert triage(stranger, fingerprint, state="resolved").status_code == 404
    assert FailureGroup.objects.get().state == "open"
