"""Callers of the API."""

import pytest

from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, api_of
from tests.factories import make_tenant


@pytest.fixture
def api(tenant: Tenant) -> ApiClient:
    """A caller with a key of the current tenant."""
    return api_of(tenant)


@pytest.fixture
def stranger(tenant: Tenant) -> ApiClient:
    """A caller with a key of another tenant."""
    other = make_tenant("other")
    with tenant_context(other):
        return api_of(other)
