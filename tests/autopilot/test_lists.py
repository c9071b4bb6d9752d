"""The lists of runs and drafts are read off an index each, however many rows there are."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from channels.autopilot.models import Draft
from channels.autopilot.queries import LONGEST_WAIT, NEWEST, drafts, runs, waiting
from salesflow.accounts.models import Tenant
from salesflow.accounts.paging import Order
from tests.autopilot.rows import make_draft
from tests.channels.factories import make_inbound_message

NEWEST_DRAFT = Order(("created_at", "id"), descending=True)


def plan_of(rows: QuerySet[Any], order: Order, key: str) -> str:
    """How PostgreSQL finds a page beyond that key, where it does not read the whole table."""
    page = order.apply(order.beyond(rows, key)).select_related(None)[:31]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    plan: str = page.explain()
    return plan


@pytest.mark.parametrize(
    ("narrowed", "index"),
    [
        ({}, "run_by_tenant"),
        ({"action": "draft"}, "run_by_action"),
        ({"outcome": "drafted"}, "run_by_outcome"),
    ],
)
def test_page_of_runs_is_read_off_its_index(
    tenant: Tenant, narrowed: dict[str, str], index: str
) -> None:
    run = make_draft(make_inbound_message()).run
    _drop_all_but(index, "run_by_tenant", "run_by_action", "run_by_outcome")
    plan = plan_of(runs().filter(**narrowed), NEWEST, NEWEST.key_of(run))
    assert index in plan
    assert "Sort" not in plan
    assert "Filter" not in plan


def test_page_of_drafts_is_read_off_its_index(tenant: Tenant) -> None:
    draft = Draft.objects.get(pk=make_draft(make_inbound_message()).pk)
    _drop_all_but("draft_by_tenant", "draft_by_tenant", "draft_queue")
    plan = plan_of(drafts(), NEWEST_DRAFT, NEWEST_DRAFT.key_of(draft))
    assert "draft_by_tenant" in plan
    assert "Sort" not in plan


def test_page_of_the_queue_is_read_off_its_index(tenant: Tenant) -> None:
    draft = Draft.objects.get(pk=make_draft(make_inbound_message()).pk)
    _drop_all_but("draft_queue", "draft_queue", "draft_by_tenant")
    plan = plan_of(waiting(), LONGEST_WAIT, LONGEST_WAIT.key_of(draft))
    assert "draft_queue" in plan
    assert "Sort" not in plan
    assert "Filter" not in plan


def _drop_all_but(kept: str, *names: str) -> None:
    """Of a single row any index is as good."""
    others = [name for name in names if name != kept]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {', '.join(others)}")
