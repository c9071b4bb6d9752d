"""What the engine's tests may use."""

from collections.abc import Iterator

import pytest

from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant
from tests.sequences.engine.clock import Clock, stopped_clock
from tests.sequences.plan_factories import MONDAY_NOON


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A Monday noon in Berlin, until the test says otherwise."""
    with stopped_clock(MONDAY_NOON) as clock:
        yield clock


@pytest.fixture
def team(db: None, clock: Clock) -> Iterator[Tenant]:
    """A team in Berlin, set as the current tenant."""
    with tenant_context(make_tenant("acme", name="Acme", time_zone="Europe/Berlin")) as tenant:
        yield tenant
