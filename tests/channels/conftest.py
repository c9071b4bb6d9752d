"""What tests of the pages about messages may use."""

import pytest

from salesflow.accounts.models import Tenant, User
from tests.factories import make_user
from tests.web import Browser, browser_of


@pytest.fixture
def rep(tenant: Tenant) -> User:
    """A sales rep of the tenant."""
    return make_user(tenant, name="Ada Lovelace")


@pytest.fixture
def browser(rep: User) -> Browser:
    """A browser in which the rep is logged in."""
    return browser_of(rep)
