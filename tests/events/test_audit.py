"""Who did what: written with what was done, read by those whom it concerns."""

import pytest
from django.contrib import admin
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events import audit
from events.models import AuditLine, Event
from events.replays import plan_replay, start
from events.selections import Selection
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_failed_event
from tests.factories import make_tenant, make_user
from tests.staff import client_of, make_staff, make_superuser

LIST = reverse("admin:events_auditline_changelist")

pytestmark = pytest.mark.django_db


def test_line_keeps_who_did_what_with_what_and_why(tenant: Tenant) -> None:
    event, actor = make_event(), make_user(tenant)
    audit.record(
        "event.corrected",
        event,
        actor=actor,
        tenant=tenant,
        reason="a typo",
        details={"changed": ["/number"]},
    )
    line = AuditLine.objects.get()
    assert (line.target_type, line.target_id) == ("event", str(event.pk))
    assert (line.actor, line.tenant, line.reason) == (actor, tenant, "a typo")
    assert line.details == {"changed": ["/number"]}


def test_what_is_undone_leaves_no_line(tenant: Tenant) -> None:
    with transaction.atomic():
        audit.record("handler.paused", ("handler", "send_mail"), actor=None, tenant=None)
        transaction.set_rollback(True)
    assert not AuditLine.objects.exists()


def test_lines_of_a_tenant_are_seen_by_its_staff_and_by_superusers(tenant: Tenant) -> None:
    staff, stranger = make_staff(tenant), make_staff(make_tenant())
    target = ("handler", "send_mail")
    own = audit.record("replay.started", target, actor=staff, tenant=tenant)
    several = audit.record("replay.started", target, actor=stranger, tenant=None)
    assert list(audit.lines_about(target, make_superuser())) == [several, own]
    assert list(audit.lines_about(target, staff)) == [own]
    assert list(audit.lines_about(target, stranger)) == [several]


# --- The list -----------------------------------------------------------------------------------


def test_list_shows_the_newest_first_with_links(tenant: Tenant) -> None:
    event, actor = make_event(), make_superuser()
    bad = "<script>alert(1)</script>"
    audit.record("event.corrected", event, actor=actor, tenant=tenant, reason=bad)
    audit.record("handler.paused", ("handler", "send_mail"), actor=None, tenant=None)
    response = client_of(actor).get(LIST)
    lines = list(response.context["cl"].result_list)
    text = response.content.decode()
    assert [line.action for line in lines] == ["handler.paused", "event.corrected"]
    assert f'href="/admin/events/event/{event.pk}/change/"' in text
    assert "an API key or a command" in text
    assert bad not in text


def test_what_a_replay_does_by_itself_is_said_to_be_its_own(tenant: Tenant) -> None:
    replay = ("replay", "01890a5d-ac96-774b-bcce-b302099a8057")
    details = {"events": 3, "failed": 0, "handlers": ["greet"], "selection": {"status": "failed"}}
    audit.record("replay.finished", replay, actor=None, tenant=tenant, details=details)
    text = client_of(make_superuser()).get(LIST).content.decode()
    assert "the replay itself" in text
    assert "replay 01890a5d-ac96…</a>" in text
    assert "events: 3; handlers: greet; selection: status failed" in text


def test_list_is_read_by_who_may_see_events_and_changed_by_nobody(tenant: Tenant) -> None:
    line = audit.record("replay.started", ("replay", "1"), actor=None, tenant=tenant)
    elsewhere = audit.record("x.y", ("replay", "2"), actor=None, tenant=make_tenant())
    viewer = client_of(make_staff(tenant, may=["view_event"]))
    assert list(viewer.get(LIST).context["cl"].result_list) == [line]
    assert client_of(make_staff(tenant)).get(LIST).status_code == 403
    root = client_of(make_superuser())
    for page in ("change", "delete"):
        url = reverse(f"admin:events_auditline_{page}", args=[elsewhere.pk])
        assert root.post(url, {"post": "yes"}).status_code in (403, 404)
    assert root.get(reverse("admin:events_auditline_add")).status_code == 403
    assert AuditLine.objects.count() == 2


def test_number_of_queries_does_not_depend_on_the_number_of_lines(tenant: Tenant) -> None:
    client = client_of(make_superuser())
    counts = [_queries(client, tenant, more) for more in (1, 20)]
    assert counts[0] == counts[1]


def _queries(client: Client, tenant: Tenant, more: int) -> int:
    for _line in range(more):
        audit.record("x.y", ("z", "1"), actor=make_user(tenant), tenant=tenant)
    with CaptureQueriesContext(connection) as queries:
        client.get(LIST)
    return len(queries)


def test_line_is_found_by_action_and_by_target(tenant: Tenant) -> None:
    line = audit.record("replay.started", ("replay", "abc"), actor=None, tenant=tenant)
    audit.record("replay.paused", ("replay", "def"), actor=None, tenant=tenant)
    client = client_of(make_superuser())
    for term in ("replay.started", "abc"):
        assert list(client.get(LIST, {"q": term}).context["cl"].result_list) == [line]


def test_search_reads_no_more_lines_than_it_finds(tenant: Tenant) -> None:
    AuditLine.objects.bulk_create(
        AuditLine(action=f"act.{number}", target_type="replay", target_id=str(number))
        for number in range(5000)
    )
    request = RequestFactory().get(LIST, {"q": "4711"})
    request.user = make_superuser()
    changelist = admin.site.get_model_admin(AuditLine).get_changelist_instance(request)
    lines = changelist.get_queryset(request)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_lines")
    plan = lines[:51].explain()
    assert "audit_lines_by_action" in plan, plan
    assert "audit_lines_by_target" in plan, plan


@pytest.mark.parametrize("name", ["auditline", "replay", "alertrule"])
def test_no_query_of_a_list_may_take_longer_than_those_of_other_pages(name: str) -> None:
    client = client_of(make_superuser())
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse(f"admin:events_{name}_changelist"))
    assert "SET LOCAL statement_timeout = 5000" in [query["sql"] for query in queries]


def test_superusers_replay_over_tenants_is_told_to_each_without_its_reason(tenant: Tenant) -> None:
    make_failed_event()
    with tenant_context(make_tenant()):
        make_failed_event()
    root = make_superuser()
    replay = plan_replay(Selection(status="failed"), Event.unscoped.all(), actor=root)
    start(replay, actor=root, reason="because Globex complained")
    response = client_of(make_staff(tenant, may=["view_event"])).get(LIST)
    [line] = response.context["cl"].result_list
    assert (line.action, line.actor, line.reason) == ("replay.started", root, "")
    assert line.details == {"events": 1, "handlers": [], "external": False}
    assert f"/{replay.pk}/" not in response.content.decode()
    assert list(audit.visible_lines(root)) == [AuditLine.objects.get(part_of=None)]


def test_list_says_how_many_lines_there_are(tenant: Tenant) -> None:
    for number in range(2):
        audit.record("replay.started", ("replay", str(number)), actor=None, tenant=tenant)
    page = " ".join(client_of(make_superuser()).get(LIST).content.decode().split())
    assert "2 audit lines" in page
    assert ">Audit<" in page.replace("> ", ">").replace(" <", "<")
