"""Servers that tests of one module share."""

from collections.abc import Iterator

import pytest

from tests.channels.mail.devel import MailDevel, mail_devel


@pytest.fixture
def server() -> Iterator[MailDevel]:
    """A mail server with empty mailboxes."""
    with mail_devel() as running:
        yield running
