"""Trying an account: a worker does it outside any transaction, once, and says what came of it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from channels.models import Account, AccountTrial
from channels.receiving import take_in_report
from channels.services.accounts import stop_account
from channels.transports import Outgoing, Receipt, Report, TransportError
from channels.trials import MOST_KEPT, request_trial, run_trial, webhook_url
from events.models import Event
from tests.channels.account_factories import (
    SECRET,
    ScriptedService,
    make_scripted_account,
    refusal,
    scripted,
)
from tests.factories import make_user

Settle = Callable[[], int]

pytestmark = pytest.mark.usefixtures("transactional_db", "tenant")


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    """The transport that is tried."""
    with scripted() as service:
        yield service


def tried(account: Account, kind: str, settle_events: Settle, **given: Any) -> AccountTrial:
    """A trial with its answer."""
    trial = request_trial(account, kind, **given)
    settle_events()
    trial.refresh_from_db()
    return trial


def test_message_goes_to_the_accounts_own_address(
    service: ScriptedService, settle_events: Settle
) -> None:
    account, actor = make_scripted_account(), make_user(name="Ada")
    trial = tried(account, "send", settle_events, actor=actor)
    [sent] = service.sent
    assert (sent.address, sent.channel, sent.message_type) == ("sales@example.com", "email", "text")
    assert sent.message_id == trial.pk
    assert sent.subject
    assert (trial.has_worked, trial.answer) == (
        True,
        "The message to sales@example.com was taken over.",
    )
    account.refresh_from_db()
    assert account.last_sent_at


def test_message_reads_as_it_was_given(service: ScriptedService, settle_events: Settle) -> None:
    tried(make_scripted_account(), "send", settle_events, subject="[Test] Hi", body="Hello Ada")
    [sent] = service.sent
    assert (sent.subject, sent.body) == ("[Test] Hi", "Hello Ada")
    assert not sent.unsubscribe_url


def test_message_goes_where_somebody_wants_it(
    service: ScriptedService, settle_events: Settle
) -> None:
    tried(make_scripted_account(), "send", settle_events, address=" Ada@Example.com ")
    assert [sent.address for sent in service.sent] == ["ada@example.com"]


def test_nothing_is_called_within_a_transaction(settle_events: Settle) -> None:
    class Watching(ScriptedService):
        def send(self, account: Account, outgoing: Outgoing) -> Receipt:
            assert not connection.in_atomic_block
            begun = AccountTrial.objects.get(pk=outgoing.message_id)
            assert begun.begun_at
            return super().send(account, outgoing)

    with scripted() as usual:
        watching = Watching()
        usual.send = watching.send  # type: ignore[method-assign]
        trial = tried(make_scripted_account(), "send", settle_events)
    assert trial.has_worked, trial.answer
    assert watching.sent


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (refusal("The password is wrong."), "The password is wrong."),
        (TransportError("Nobody knows.", unknown=True), "Nobody knows."),
        (RuntimeError(f"with {SECRET}"), "The transport broke: RuntimeError"),
    ],
)
@pytest.mark.parametrize("kind", ["check", "send"])
def test_trouble_is_told_in_words_and_remembered(
    service: ScriptedService, settle_events: Settle, kind: str, trouble: Exception, words: str
) -> None:
    service.trouble = trouble
    account = make_scripted_account()
    trial = tried(account, kind, settle_events)
    account.refresh_from_db()
    assert (trial.has_worked, trial.answer) == (False, words)
    assert account.last_error == words
    assert SECRET not in str(list(Event.objects.values_list("error_message", flat=True)))
    assert len(service.sent) + len(service.checked) == 1


def test_account_that_works_goes_on(service: ScriptedService, settle_events: Settle) -> None:
    account = make_scripted_account()
    stop_account(account.pk, "The token has expired.")
    service.trouble = refusal("The token has expired.")
    tried(account, "check", settle_events)
    account.refresh_from_db()
    assert account.stopped_at
    service.trouble = None
    tried(account, "check", settle_events)
    well = Account.objects.get(pk=account.pk)
    assert (well.stopped_at, well.stopped_reason, well.last_error) == (None, "", "")


def test_trial_that_was_interrupted_is_not_made_again(service: ScriptedService) -> None:
    trial = request_trial(make_scripted_account(), "send")
    AccountTrial.objects.update(begun_at=timezone.now())
    run_trial(trial.pk)
    trial.refresh_from_db()
    assert service.sent == []
    assert (trial.has_worked, trial.answer) == (False, "The trial was interrupted: try again.")


@pytest.mark.parametrize(
    ("status", "reason", "has_worked", "words"),
    [
        ("failed", "The number is not on WhatsApp.", False, "The number is not on WhatsApp."),
        ("delivered", "", True, "The message to sales@example.com has arrived."),
        ("sent", "", True, "The message to sales@example.com was taken over."),
    ],
)
def test_what_the_vendor_reports_later_is_the_last_word(
    service: ScriptedService,
    settle_events: Settle,
    status: str,
    reason: str,
    has_worked: bool,
    words: str,
) -> None:
    account = make_scripted_account()
    trial = tried(account, "send", settle_events)
    take_in_report(account, Report(status=status, message_id=trial.pk, attempt=1, reason=reason))
    trial.refresh_from_db()
    account.refresh_from_db()
    assert (trial.has_worked, trial.answer) == (has_worked, words)
    assert account.last_error == reason


def test_report_that_overtakes_the_answer_stays(settle_events: Settle) -> None:
    class Hasty(ScriptedService):
        def send(self, account: Account, outgoing: Outgoing) -> Receipt:
            failed = Report(status="failed", message_id=outgoing.message_id, reason="Not there.")
            take_in_report(account, failed)
            return super().send(account, outgoing)

    with scripted() as usual:
        usual.send = Hasty().send  # type: ignore[method-assign]
        trial = tried(make_scripted_account(), "send", settle_events)
    assert (trial.has_worked, trial.answer) == (False, "Not there.")


def test_report_about_no_trial_is_none(service: ScriptedService, settle_events: Settle) -> None:
    account = make_scripted_account()
    trial = tried(account, "check", settle_events)
    take_in_report(account, Report(status="failed", message_id=trial.pk, reason="Not there."))
    trial.refresh_from_db()
    assert trial.has_worked


def test_trial_is_made_once(service: ScriptedService, settle_events: Settle) -> None:
    trial = tried(make_scripted_account(), "send", settle_events)
    run_trial(trial.pk)
    assert len(service.sent) == 1


def test_one_trial_at_a_time(service: ScriptedService, settle_events: Settle) -> None:
    account = make_scripted_account()
    request_trial(account, "check")
    with pytest.raises(ValidationError) as refused:
        request_trial(account, "check")
    assert list(refused.value.message_dict) == ["kind"]
    AccountTrial.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    assert request_trial(account, "check")
    other = make_scripted_account(name="Other", address="other@example.com")
    assert request_trial(other, "check")


@pytest.mark.parametrize(
    ("kind", "address", "field"),
    [("send", "nowhere", "address"), ("webhook", "", "kind"), ("dance", "", "kind")],
)
def test_what_cannot_be_tried_is_refused(
    service: ScriptedService, kind: str, address: str, field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        request_trial(make_scripted_account(), kind, address=address)
    assert list(refused.value.message_dict) == [field]
    assert not AccountTrial.objects.exists()


def test_account_that_people_carry_is_not_tried() -> None:
    account = Account.objects.get(channel="linkedin")
    with pytest.raises(ValidationError):
        request_trial(account, "check")


def test_webhook_is_tried_at_the_address_that_the_vendor_calls(
    service: ScriptedService, settle_events: Settle, settings: Any
) -> None:
    settings.BASE_URL = "https://sales.example.com"
    service.webhook_route = "channels-public:whatsapp-webhook"
    account = make_scripted_account()
    assert tried(account, "webhook", settle_events).has_worked
    assert service.checked == [webhook_url(account)]
    assert service.checked[0] == f"https://sales.example.com/webhooks/whatsapp/{account.pk}"


def test_window_is_no_hindrance(service: ScriptedService, settle_events: Settle) -> None:
    service.window_hours = 24
    tried(make_scripted_account(), "send", settle_events)
    [sent] = service.sent
    assert (sent.message_type, sent.details["name"]) == ("template", "hello_world")


def test_only_the_last_ones_are_kept(service: ScriptedService) -> None:
    account = make_scripted_account()
    now = timezone.now()
    for _ in range(MOST_KEPT + 3):
        trial = request_trial(account, "check")
        AccountTrial.objects.update(answered_at=now, has_worked=True)
    assert AccountTrial.objects.count() == MOST_KEPT
    assert AccountTrial.objects.filter(pk=trial.pk).exists()


def test_replay_tries_nothing_again(service: ScriptedService, settle_events: Settle) -> None:
    from events import replay_event

    tried(make_scripted_account(), "send", settle_events)
    event = Event.objects.get(type="account.trial_requested")
    replay_event(event.id, reason="look")
    replay_event(event.id, reason="really", include_external=True)
    settle_events()
    assert len(service.sent) == 1
