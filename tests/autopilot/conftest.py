"""Models' endpoints on this machine."""

from collections.abc import Iterator

import pytest

from channels.autopilot import local_model
from tests.autopilot.endpoint import Server, serving
from tests.autopilot.local import HOW_TO_INSTALL, LocalServer, locally_served


@pytest.fixture
def server() -> Iterator[Server]:
    """An endpoint that behaves, unless it is told otherwise."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def local_server() -> Iterator[LocalServer]:
    """A real model, small as it is; for tests that are marked `local_model`."""
    if local_model.why_not():
        pytest.skip(HOW_TO_INSTALL)
    with locally_served() as running:
        yield running
