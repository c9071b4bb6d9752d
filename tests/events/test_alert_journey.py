"""From a handler that breaks to a mail in somebody's inbox, with real processes."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.models import FailureGroup
from leads.services import add_note, create_lead
from salesflow.accounts.models import Tenant
from tests.events.alert_factories import make_rule
from tests.outside.mail import MailServer
from tests.thirdparty.handlers import breakdown
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def mail_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server that the environment names."""
    with MailServer().serving() as server:
        monkeypatch.setenv("SALESFLOW_EMAIL_URL", f"smtp://127.0.0.1:{server.port}")
        yield server


@pytest.fixture
def broken_handler() -> Iterator[Path]:
    breakdown().write_text("the printer is out of paper")
    yield breakdown()
    breakdown().unlink(missing_ok=True)


def test_new_failure_is_in_the_inbox_soon_and_once(
    tenant: Tenant,
    mail_server: MailServer,
    broken_handler: Path,
    worker: "subprocess.Popen[bytes]",
) -> None:
    make_rule()
    for number in range(3):
        add_note(create_lead(name=f"Lead {number}"), "Called.")
    wait_until(lambda: mail_server.mails, "the mail has arrived")
    group = FailureGroup.objects.get(handler="greet_for_note")
    assert mail_server.mails[0]["Subject"] == "[SalesFlow] greet_for_note fails in a new way"
    assert str(group.fingerprint) in mail_server.mails[0].get_content()
    add_note(create_lead(name="Another lead"), "Called.")
    wait_until(
        lambda: FailureGroup.objects.filter(pk=group.pk, occurrences=4).exists(),
        "it has failed once more",
    )
    assert len(mail_server.mails) == 1
