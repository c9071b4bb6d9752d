"""Tasks and meetings in the admin: read there, never edited, each tenant's own."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from leads.models import Meeting, Task
from leads.services import add_task, book_meeting, skip_task
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant
from tests.leads.factories import make_lead
from tests.staff import client_of, make_staff, make_superuser

AT = datetime(2027, 1, 4, 10, tzinfo=UTC)


def make_task() -> Task:
    return add_task(make_lead(), title="Call about the roof")


def make_meeting() -> Meeting:
    return book_meeting(make_lead(), title="Survey of the roof", starts_at=AT)


def list_of(row: Any) -> str:
    return reverse(f"admin:leads_{row._meta.model_name}_changelist")


def page_of(row: Any) -> str:
    return reverse(f"admin:leads_{row._meta.model_name}_change", args=[row.pk])


@pytest.mark.parametrize("make", [make_task, make_meeting])
def test_row_is_found_by_its_id_and_its_lead_and_offers_no_change(
    tenant: Tenant, make: Any
) -> None:
    row, other = make(), make()
    client = client_of(make_superuser())
    for term in (row.pk, row.lead_id):
        found = client.get(list_of(row), {"q": str(term)}).content.decode()
        assert page_of(row) in found
        assert page_of(other) not in found
    assert page_of(row) not in client.get(list_of(row), {"q": "roof"}).content.decode()
    page = client.get(page_of(row)).content.decode()
    assert "roof" in page
    assert 'name="_save"' not in page
    assert client.post(page_of(row), {"title": "changed"}).status_code == 403


@pytest.mark.parametrize("make", [make_task, make_meeting])
def test_staff_see_rows_of_their_tenants_alone_in_few_queries(
    tenant: Tenant, make: Any, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    own = [make() for _row in range(3)]
    with tenant_context(make_tenant()):
        foreign = make()
    client = client_of(make_staff(tenant, may=[f"view_{foreign._meta.model_name}"]))
    with django_assert_max_num_queries(9):
        listed = client.get(list_of(foreign)).content.decode()
    assert all(page_of(row) in listed for row in own)
    assert page_of(foreign) not in listed
    assert client.get(page_of(foreign)).status_code in {302, 404}
    assert client_of(make_staff(tenant)).get(list_of(foreign)).status_code == 403


def test_skipped_task_says_why(tenant: Tenant) -> None:
    task = skip_task(make_task(), None, "They moved away")
    page = client_of(make_superuser()).get(page_of(task)).content.decode()
    assert "They moved away" in page
    assert "Skipped" in page
