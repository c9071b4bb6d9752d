"""Accounts as those who lead a team keep them: connected, edited, stopped, and who did it."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from channels.account_forms import AccountForm
from channels.health import circuit_key, health_of
from channels.models import Account, Channel
from channels.services.accounts import (
    activate_account,
    connect_account,
    deactivate_account,
    default_account,
    edit_account,
    make_default,
    note_error,
    note_sent,
    resume_account,
    settings_of,
    stop_account,
)
from channels.transports import transport_named
from channels.transports.mail import MailSettings
from channels.transports.mail.progress import Progress
from events.breakers import begin_call, end_call
from events.circuit import BreakerPolicy
from events.models import AuditLine
from tests.channels.account_factories import (
    SECRET,
    make_scripted_account,
    scripted,
)
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("tenant", "service")

GIVEN: dict[str, Any] = {
    "name": "Support",
    "address": "Help@Example.com ",
    "host": "mail.example.com",
    "token": SECRET,
    "port": "25",
    "mode": "fast",
    "since": "2026-03-04",
    "footer": "Bye",
    "is_loud": "on",
    "is_default": "on",
}


@pytest.fixture(name="service")
def _service() -> Any:
    """A transport with settings of all kinds."""
    with scripted() as service:
        yield service


def form_for(account: Account | None = None, **data: Any) -> AccountForm:
    """The form as somebody has filled it in."""
    return AccountForm(
        data, channel=Channel.EMAIL, transport=transport_named("scripted"), account=account
    )


def connected(**data: str) -> Account:
    """An account that was connected through the form."""
    form = form_for(**{**GIVEN, **data})
    assert form.is_valid(), form.errors
    return connect_account(channel="email", transport="scripted", **form.given)


# --- The form -----------------------------------------------------------------------------------


def test_form_reads_settings_of_every_kind() -> None:
    account = Account.objects.get(pk=connected().pk)
    assert account.address == "help@example.com"
    assert account.settings == {
        "host": "mail.example.com",
        "port": 25,
        "mode": "fast",
        "since": "2026-03-04",
        "footer": "Bye",
        "is_loud": True,
    }
    assert dict(account.secrets) == {"token": SECRET}
    known = settings_of(account)
    assert known.since.isoformat() == "2026-03-04"  # type: ignore[attr-defined]


def test_what_is_left_empty_is_the_default() -> None:
    account = connected(port="", since="", footer="", is_loud="", mode="safe")
    assert account.settings | {"host": ""} == {
        "host": "",
        "port": 587,
        "mode": "safe",
        "since": None,
        "footer": "",
        "is_loud": False,
    }


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("name", {"name": ""}),
        ("address", {"address": ""}),
        ("address", {"address": "nowhere"}),
        ("host", {"host": ""}),
        ("host", {"host": "x"}),
        ("host", {"host": "two words"}),
        ("token", {"token": ""}),
        ("port", {"port": "0"}),
        ("port", {"port": "many"}),
        ("mode", {"mode": "slow"}),
        ("since", {"since": "yesterday"}),
        ("footer", {"footer": "x" * 2001}),
        ("__all__", {"mode": "safe"}),
    ],
)
def test_wrong_setting_is_told_at_its_field_without_any_secret(
    field: str, given: dict[str, str]
) -> None:
    form = form_for(**{**GIVEN, **given})
    assert list(form.errors) == [field]
    assert SECRET not in str(form.errors) + form.as_p()


def test_transports_own_words_are_told() -> None:
    assert form_for(**{**GIVEN, "host": "two words"}).errors["host"] == ["A host has no blanks."]
    assert form_for(**{**GIVEN, "mode": "safe"}).non_field_errors() == [
        "Only what is fast can be loud."
    ]


def test_secret_is_kept_while_its_field_is_empty_replaced_by_another_and_forgotten_on_demand() -> (
    None
):
    account = connected(spare="spare one")
    empty = {**GIVEN, "token": "", "spare": ""}
    for given, secrets in (
        (empty, {"token": SECRET, "spare": "spare one"}),
        ({**empty, "spare": "other"}, {"token": SECRET, "spare": "other"}),
        ({**empty, "forget_spare": "on"}, {"token": SECRET}),
    ):
        account = Account.objects.get(pk=account.pk)
        form = form_for(account, **given)
        assert form.is_valid(), form.errors
        edit_account(account, **form.given)
        assert dict(Account.objects.get(pk=account.pk).secrets) == secrets


def test_needed_secret_cannot_be_forgotten() -> None:
    assert "forget_token" not in form_for(connected(), **GIVEN).fields


def test_secret_that_cannot_be_read_has_to_be_entered_again(settings: Any) -> None:
    settings.SECRET_KEY = "o" * 50
    account = connected()
    settings.SECRET_KEY = "n" * 50
    account = Account.objects.get(pk=account.pk)
    form = form_for(account, **{**GIVEN, "token": ""})
    assert list(form.errors) == ["token"]
    form = form_for(account, **{**GIVEN, "token": "new"})
    assert form.is_valid()
    edit_account(account, **form.given)
    assert dict(Account.objects.get(pk=account.pk).secrets) == {"token": "new"}


# --- Which account is used ----------------------------------------------------------------------


def test_address_belongs_to_one_account_in_use() -> None:
    first = make_scripted_account()
    with pytest.raises(ValidationError) as refusal:
        make_scripted_account(address="SALES@example.com")
    assert list(refusal.value.message_dict) == ["address"]
    deactivate_account(first)
    make_scripted_account()
    with pytest.raises(ValidationError):
        activate_account(first)
    first.refresh_from_db()
    assert not first.is_active


def test_another_account_takes_over_from_one_that_goes_out_of_use() -> None:
    first = make_scripted_account()
    second = make_scripted_account(name="Second", address="second@example.com", is_default=False)
    assert default_account("email") == first
    assert deactivate_account(first) == second
    assert default_account("email") == second
    assert deactivate_account(second) is None
    assert default_account("email") is None
    with pytest.raises(ValidationError):
        make_default(Account.objects.get(pk=first.pk))
    activate_account(first)
    assert default_account("email") == first


def test_edited_account_is_used_again() -> None:
    account = connected()
    stop_account(account.pk, "Wrong password")
    form = form_for(account, **GIVEN)
    assert form.is_valid()
    edit_account(account, **form.given)
    account.refresh_from_db()
    assert (account.stopped_at, account.stopped_reason) == (None, "")


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"from_name": "Ada"}, {"validity": 7, "last_uid": 40}),
        ({"smtp_password": "new"}, {"validity": 7, "last_uid": 40}),
        ({"imap_folder": "Sales"}, {}),
        ({"imap_user": "other"}, {}),
    ],
)
def test_another_mailbox_is_not_read_from_the_place_of_the_one_before(
    changed: dict[str, str], place: dict[str, int]
) -> None:
    known = MailSettings(smtp_host="mail.example.com", imap_host="mail.example.com")
    account = connect_account(
        channel="email", transport="mail", name="Sales", address="s@example.com", settings=known
    )
    trouble = {"failures": 3, "refusals": 3, "next_at": "2026-01-01T00:00:00+00:00"}
    state = {"mailbox": {"validity": 7, "last_uid": 40, **trouble}}
    Account.objects.filter(pk=account.pk).update(state=state)
    edited = MailSettings.model_validate({**known.model_dump(exclude_unset=True), **changed})
    edit_account(account, name="Sales", address="s@example.com", settings=edited)
    account.refresh_from_db()
    assert account.state.get("mailbox", {}) == place
    assert Progress.of(account).next_at == ""


# --- The audit ----------------------------------------------------------------------------------


def test_who_did_what_is_in_the_audit_and_no_secret() -> None:
    actor = make_user()
    account = make_scripted_account(actor=actor)
    form = form_for(account, **{**GIVEN, "token": f"{SECRET}-2"})
    assert form.is_valid()
    edit_account(account, actor=actor, **form.given)
    deactivate_account(account, actor=actor)
    activate_account(account, actor=actor)
    make_default(Account.objects.get(pk=account.pk), actor=actor)
    stop_account(account.pk, "Expired")
    resume_account(account, actor=actor)
    lines = list(AuditLine.objects.order_by("id"))
    assert [line.action for line in lines] == [
        "account.connected",
        "account.edited",
        "account.deactivated",
        "account.activated",
        "account.made_default",
        "account.resumed",
    ]
    assert {(line.actor, line.tenant, line.target_id) for line in lines} == {
        (actor, account.tenant, str(account.pk))
    }
    changed = lines[1].details
    assert set(changed["settings"]) == {"port", "mode", "since", "footer", "is_loud"}
    assert changed["secrets"] == ["token"]
    assert SECRET not in str([line.details for line in lines])


def test_what_no_person_did_is_not_in_the_audit() -> None:
    make_scripted_account()
    assert not AuditLine.objects.exists()


# --- Health -------------------------------------------------------------------------------------


def tone_of(account: Account) -> tuple[str, str]:
    """How an account is, in a word, and why."""
    account.refresh_from_db()
    health = health_of([account])[account.pk]
    return health.tone, health.reason


def test_health_follows_what_happened_last() -> None:
    account = make_scripted_account()
    assert tone_of(account) == ("", "")
    note_sent(account.pk)
    assert tone_of(account) == ("good", "")
    note_error(account.pk, "Mailbox full")
    assert tone_of(account) == ("warn", "Mailbox full")
    note_sent(account.pk)
    assert tone_of(account) == ("good", "")
    stop_account(account.pk, "Token expired")
    assert tone_of(account) == ("bad", "Token expired")
    resume_account(account)
    assert tone_of(account) == ("good", "")
    deactivate_account(account)
    assert tone_of(account) == ("", "")


def test_account_that_is_left_alone_needs_attention() -> None:
    account = make_scripted_account()
    note_error(account.pk, "Connection refused")
    policy = BreakerPolicy(failure_rate=0.5, minimum=1, window=60, cooldown=60)
    for call in (1, 2, 3):
        begin_call(circuit_key(account.pk), call, 60)
        end_call(circuit_key(account.pk), call, policy, RuntimeError("refused"))
        if tone_of(account)[0] == "bad":
            break
    assert tone_of(account) == ("bad", "Connection refused")


def test_health_takes_one_query(django_assert_num_queries: Any) -> None:
    accounts = list(Account.objects.all())
    Account.objects.update(last_sent_at=timezone.now() - timedelta(days=1))
    with django_assert_num_queries(1):
        assert len(health_of(accounts)) == len(accounts) > 1
