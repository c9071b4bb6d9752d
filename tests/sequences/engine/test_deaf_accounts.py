"""No program writes where nobody would hear the answer; a person may."""

import pytest

from channels.models import Account
from channels.services.messages import send_message
from tests.channels.mail.factories import make_mail_account
from tests.sequences.engine.clock import Clock
from tests.sequences.engine.factories import again, enrol_one, mail, make_contact, make_sequence

pytestmark = pytest.mark.usefixtures("team")


def test_sequence_waits_where_answers_cannot_come_in_and_says_why(clock: Clock) -> None:
    account, lead = make_mail_account(), make_contact()
    enrolment = enrol_one(make_sequence(mail("one")), lead)
    clock.run()
    waiting = again(enrolment)
    assert (waiting.state, waiting.delay) == ("active", "account_deaf")
    assert "no incoming server" in waiting.says
    assert not lead.messages.exists()
    assert send_message(lead, channel="email", subject="Hi", body="By hand").account == account
    settings = account.settings | {"answers_elsewhere": True}
    Account.objects.filter(pk=account.pk).update(settings=settings)
    clock.run_at("2026-11-24 12:00")
    assert "one" in lead.messages.values_list("body", flat=True)
