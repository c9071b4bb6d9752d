"""An emulator of Meta's, and an account that uses it."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from channels.models import Account
from salesflow.accounts.models import Tenant
from tests.channels.whatsapp.emulator import Emulator, running_emulator
from tests.channels.whatsapp.factories import make_account


@pytest.fixture
def emulator(settings: Settings) -> Iterator[Emulator]:
    """Meta, as far as this process knows."""
    with running_emulator() as emulator:
        settings.WHATSAPP_API_URL = emulator.url
        yield emulator


@pytest.fixture
def account(tenant: Tenant) -> Account:
    """The tenant's WhatsApp number."""
    return make_account()
