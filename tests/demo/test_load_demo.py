"""The command that loads the demo, through the real engine."""

import json
import stat
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels.models import Message, MessageStatus
from events.models import Event, EventStatus
from leads.models import Lead
from leads.queries import open_tasks
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import ApiKey, Tenant, User
from salesflow.demo.story import LEADS

# A quarter for the history of 400 leads, the rest for the two dozen messages that are really sent
# (each is asked about its account, consent, window, limits and circuit), and for the consents of
# those who enter a sequence. The tests' own app, which handles every note, is not counted.
MOST_STATEMENTS = 2000

pytestmark = pytest.mark.usefixtures("transactional_db")


def load_demo() -> str:
    out = StringIO()
    call_command("load_demo", stdout=out)
    return out.getvalue()


def access() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((settings.HOME / "demo.json").read_text())
    return content


def test_demo_is_complete_settled_and_open_to_a_newcomer() -> None:
    with CaptureQueriesContext(connection) as captured:
        printed = load_demo()
    ours = [query for query in captured if "thirdparty_" not in query["sql"]]
    assert len(ours) < MOST_STATEMENTS
    assert f"{LEADS} leads" in printed
    with tenant_context(Tenant.objects.get(slug="demo")):
        _assert_history_is_told()
        _assert_failures_are_honest()
    _assert_newcomer_gets_in()
    _assert_second_run_changes_nothing()


def _assert_history_is_told() -> None:
    types = set(Event.objects.values_list("type", flat=True))
    assert types >= {
        "lead.created",
        "lead.assigned",
        "lead.stage_changed",
        "lead.won",
        "lead.lost",
        "note.added",
        "message.sent",
        "message.delivered",
        "message.read",
        "message.received",
        "sequence.published",
        "sequence.enrolled",
        "task.created",
        "task.completed",
        "task.skipped",
        "meeting.booked",
    }
    rep = User.objects.get(email=access()["logins"][0]["email"])
    mine = open_tasks(rep)
    assert mine.filter(due_at__lt=timezone.now()).exists()
    assert mine.filter(due_at__gt=timezone.now()).exists()
    assert open_tasks(None).exists()
    outcomes = set(Lead.objects.values_list("outcome", flat=True))
    assert (Lead.objects.count(), outcomes) == (LEADS, {"open", "won", "lost"})
    assert not Event.objects.filter(type="lead.updated").exists()
    won = Lead.objects.filter(outcome="won").order_by("id")[0]
    told = Event.objects.get(subject_id=won.id, type="lead.won")
    assert told.occurred_at == won.closed_at
    # Only what the sandbox wants to be tried again is left to the worker.
    pending = Event.objects.filter(status=EventStatus.PENDING)
    assert {event.type for event in pending} == {"message.queued"}
    assert all("busy" in event.error_message for event in pending)


def _assert_failures_are_honest() -> None:
    failed = Event.objects.filter(status=EventStatus.FAILED)
    assert {event.type for event in failed} == {"message.queued"}
    for event in failed:
        message = Message.objects.get(pk=event.payload["message_id"])
        assert message.status in {MessageStatus.FAILED, MessageStatus.UNKNOWN}
        assert message.error in event.error_message
        assert event.deliveries.get(handler="deliver_message").history.get().traceback
    given_up = Message.objects.filter(status=MessageStatus.FAILED).count()
    assert Event.objects.filter(type="message.failed").count() == given_up


def _assert_newcomer_gets_in() -> None:
    path = settings.HOME / "demo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rep, admin = access()["logins"]
    users = {row["role"]: User.objects.get(email=row["email"]) for row in (rep, admin)}
    assert users["rep"].check_password(rep["password"])
    assert users["admin"].check_password(admin["password"])
    assert (users["rep"].is_staff, users["admin"].is_superuser) == (False, True)
    assert ApiKey.objects.get(prefix=access()["api_key"].partition(".")[0]).tenant.slug == "demo"
    assert ApiKey.objects.is_valid(access()["api_key"])


def _assert_second_run_changes_nothing() -> None:
    before = access(), Event.unscoped.count(), Lead.unscoped.count()
    assert "already" in load_demo()
    assert (access(), Event.unscoped.count(), Lead.unscoped.count()) == before
