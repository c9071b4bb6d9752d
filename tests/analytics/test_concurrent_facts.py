"""Workers that write facts of the same leads at the same time, in real connections."""

import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connection

from analytics.rebuilding import rebuild_facts
from events.models import Attempt, Event, EventStatus
from events.settling import settle
from leads import services
from leads.queries import default_pipeline
from salesflow.accounts.models import Tenant
from tests.analytics.factories import facts, leads_as_counted, leads_as_stored
from tests.leads.factories import make_lead

pytestmark = pytest.mark.django_db(transaction=True)


def in_threads(*works: Callable[[], object]) -> None:
    """Run each in a thread with a connection of its own."""

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as threads:
        for future in [threads.submit(run, work) for work in works]:
            future.result()


def settle_all(batches: Iterable[list[UUID]]) -> None:
    """Settle these batches one after the other."""
    for batch in batches:
        settle(batch)


def make_busy_leads() -> list[list[UUID]]:
    """Events of the same few leads, scattered over batches."""
    stages = [stage for stage in default_pipeline().stages.all() if stage.kind == "open"]
    leads = [make_lead() for _number in range(8)]
    for number in range(1, 5):
        for lead in leads:
            services.move_lead(lead, stages[number % len(stages)])
    ids = list(Event.objects.values_list("id", flat=True))
    random.Random(7).shuffle(ids)
    return [ids[start : start + 6] for start in range(0, len(ids), 6)]


def test_workers_at_the_same_leads_miss_nothing(tenant: Tenant) -> None:
    batches = make_busy_leads()
    in_threads(*(lambda own=batches[worker::3]: settle_all(own) for worker in range(3)))
    assert not Event.objects.exclude(status=EventStatus.PROCESSED).exists()
    assert not Attempt.objects.exists()
    assert leads_as_counted() == leads_as_stored()
    settled = facts()
    rebuild_facts(tenant)
    assert facts() == settled


def test_rebuild_and_workers_do_not_disturb_each_other(tenant: Tenant) -> None:
    batches = make_busy_leads()
    in_threads(
        lambda: settle_all(batches[::2]),
        lambda: settle_all(batches[1::2]),
        lambda: [rebuild_facts(tenant) for _time in range(3)],
    )
    assert not Event.objects.exclude(status=EventStatus.PROCESSED).exists()
    assert not Attempt.objects.exists()
    assert leads_as_counted() == leads_as_stored()
    settled = facts()
    rebuild_facts(tenant)
    assert facts() == settled
