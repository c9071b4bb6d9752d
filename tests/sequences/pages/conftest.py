"""What the tests of the pages about sequences may use."""

import pytest

from salesflow.accounts.models import Membership, Tenant, User
from tests.factories import make_user
from tests.web import Browser, browser_of


@pytest.fixture
def manager(tenant: Tenant) -> User:
    """Somebody who leads the team."""
    return make_user(tenant, Membership.Role.MANAGER, name="Grace Hopper")


@pytest.fixture
def browser(manager: User) -> Browser:
    """A browser in which the manager is logged in."""
    return browser_of(manager)


@pytest.fixture
def rep(tenant: Tenant) -> Browser:
    """A browser in which a sales rep is logged in."""
    return browser_of(make_user(tenant, name="Ada Lovelace"))
