"""Secrets of other services: unreadable in the database, readable under any of the keys, never
shown, and no trouble to whoever does not need them."""

import io
import pickle
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from channels.models import Account
from channels.services.accounts import settings_of
from channels.transports import AccountRefused
from salesflow.accounts.encryption import Undecipherable, decrypt, encrypt
from tests.channels.account_factories import SECRET, make_scripted_account, scripted

OLD, NEW = "o" * 50, "n" * 50
pytestmark = pytest.mark.usefixtures("tenant")


def stored() -> bytes:
    """What the database has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM channels_account WHERE transport = 'scripted'")
        return bytes(cursor.fetchone()[0])


def test_database_has_the_secret_in_no_readable_form() -> None:
    with scripted():
        account = make_scripted_account()
        assert SECRET.encode() not in stored()
        assert decrypt(stored()) == f'{{"token": "{SECRET}"}}'.encode()
        with connection.cursor() as cursor:
            cursor.execute("SELECT a::text FROM channels_account a")
            assert SECRET not in str(cursor.fetchall())
        found = Account.objects.get(pk=account.pk)
        assert settings_of(found).token.get_secret_value() == SECRET  # type: ignore[attr-defined]


def test_two_texts_of_one_secret_differ() -> None:
    assert encrypt(b"secret") != encrypt(b"secret")


def test_changed_text_is_refused() -> None:
    text = bytearray(encrypt(b"secret"))
    text[20] ^= 1
    with pytest.raises(Undecipherable):
        decrypt(bytes(text))


def test_secret_is_not_shown_by_accident(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted():
        account = Account.objects.get(pk=make_scripted_account().pk)
        shown = [repr(account.secrets), str(account.secrets), repr(account), repr(vars(account))]
        shown.append(repr(settings_of(account)))
        out = io.StringIO()
        call_command("dumpdata", "channels.account", stdout=out)
        assert SECRET not in "".join([*shown, out.getvalue()])
        assert dict(pickle.loads(pickle.dumps(account.secrets))) == {"token": SECRET}


def test_earlier_key_still_opens_and_can_go_after_it_was_replaced(settings: Any) -> None:
    # The tenant's first accounts are under the key of the tests.
    first = settings.SECRET_KEY
    settings.SECRET_KEY = OLD
    with scripted():
        account = make_scripted_account()
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD, first]
        assert dict(Account.objects.get(pk=account.pk).secrets) == {"token": SECRET}
        call_command("reencrypt_secrets", stdout=io.StringIO())
        settings.SECRET_KEY_FALLBACKS = []
        assert dict(Account.objects.get(pk=account.pk).secrets) == {"token": SECRET}


def test_lost_key_is_named_and_nothing_is_lost(settings: Any) -> None:
    settings.SECRET_KEY = OLD
    with scripted():
        account = make_scripted_account()
        before = stored()
        settings.SECRET_KEY = NEW
        found = Account.objects.get(pk=account.pk)
        with pytest.raises(AccountRefused, match="present key"):
            settings_of(found)
        found.name = "Another name"
        found.save()
        assert stored() == before
        with pytest.raises(CommandError, match="SALESFLOW_SECRET_KEY_FALLBACKS"):
            call_command("reencrypt_secrets", stdout=io.StringIO())
        settings.SECRET_KEY = OLD
        assert dict(Account.objects.get(pk=account.pk).secrets) == {"token": SECRET}
