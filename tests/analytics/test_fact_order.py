"""Facts do not depend on when and how often their events are handled."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.models import LeadFact, StageEntry
from analytics.rebuilding import rebuild_facts
from events.batches import call_handler
from events.models import Event, EventStatus
from events.registry import all_handlers
from events.settling import settle
from leads.queries import default_pipeline
from salesflow.accounts.models import Tenant
from tests.analytics.factories import STEPS, facts, leads_as_counted, leads_as_stored, live
from tests.factories import make_user
from tests.leads.factories import make_pipeline

pytestmark = pytest.mark.django_db
any_history = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@contextmanager
def nothing_kept() -> Iterator[None]:
    """Every example starts with empty tables."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def world(tenant: Tenant) -> tuple[list[Any], list[Any]]:
    """The stages of two pipelines, and possible owners."""
    stages = [*default_pipeline().stages.all(), *make_pipeline().stages.all()]
    return stages, [make_user(tenant), make_user(tenant), None]


def shuffled(order: random.Random, events: list[Any]) -> Iterator[list[Any]]:
    """The events in random batches."""
    events = order.sample(events, len(events))
    while events:
        size = order.randint(1, 6)
        yield events[:size]
        events = events[size:]


def handle(events: list[Event]) -> None:
    """Give events to the handlers that make facts of them."""
    for handler in all_handlers():
        taken = [event for event in events if event.type in handler.types]
        if taken and handler.module == "analytics.handlers":
            call_handler(handler, taken)


@any_history
@given(steps=STEPS, order=st.randoms(use_true_random=False))
def test_facts_say_what_leads_say_in_whatever_order_events_are_handled(
    world: Any, steps: Any, order: random.Random
) -> None:
    with nothing_kept():
        live(steps, *world)
        for batch in shuffled(order, list(Event.objects.values_list("id", flat=True))):
            settle(batch)
        assert not Event.objects.exclude(status=EventStatus.PROCESSED).exists()
        assert leads_as_counted() == leads_as_stored()


@any_history
@given(steps=STEPS, order=st.randoms(use_true_random=False))
def test_facts_are_the_same_after_another_order_repetition_and_rebuild(
    tenant: Tenant, world: Any, steps: Any, order: random.Random
) -> None:
    with nothing_kept():
        live(steps, *world)
        events = list(Event.objects.order_by("position"))
        handle(events)
        in_order = facts()
        assert len(in_order) >= 6

        for batch in shuffled(order, events):
            handle(batch)
        assert facts() == in_order

        rebuild_facts(tenant)
        assert facts() == in_order

        LeadFact.objects.all().delete()
        StageEntry.objects.all().delete()
        for batch in shuffled(order, events * 2):
            handle(list({event.id: event for event in batch}.values()))
        assert facts() == in_order
