"""The list of replays over HTTP."""

from typing import Any

import pytest

from events.models import Replay
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("count", [1, 20])
def test_list_of_replays_costs_the_same_whatever_it_shows(
    api: ApiClient, tenant: Tenant, django_assert_num_queries: Any, count: int
) -> None:
    for number in range(count):
        Replay.objects.create(tenant=tenant, reason=str(number))
    with django_assert_num_queries(2):
        assert len(api.results("/api/replays")) == count
