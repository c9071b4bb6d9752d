"""Who looks at the numbers."""

import pytest
from django.test import Client

from salesflow.accounts.models import Tenant
from tests.api.clients import ApiClient, api_of
from tests.factories import make_user
from tests.web import browser_of


@pytest.fixture
def browser(tenant: Tenant) -> Client:
    """A browser in which a sales rep is logged in."""
    return browser_of(make_user(tenant))


@pytest.fixture
def api(tenant: Tenant) -> ApiClient:
    """A caller with a key of the current tenant."""
    return api_of(tenant)
