"""The admin's lists never count a whole table."""

import pytest

from salesflow.accounts.admin_pagination import CappedPaginator
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant


@pytest.mark.django_db
def test_count_stops_at_its_cap() -> None:
    for _number in range(12):
        make_tenant()
    rows = Tenant.objects.order_by("-id")
    pages = CappedPaginator(rows, 5)
    assert (pages.count, pages.is_capped, pages.num_pages) == (12, False, 3)
    few = CappedPaginator(rows, 5)
    few.most_counted = 10
    assert (few.count, few.is_capped, few.num_pages) == (10, True, 2)
