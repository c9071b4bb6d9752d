"""What comes into a mailbox is stored once, whatever happens to the server or to us."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from time_machine import travel

from channels.health import DEAF_AFTER, hears, is_listening
from channels.mailboxes import LOCK, MOST_REFUSALS, MOST_TRIES, due_mailboxes, poll_mailbox
from channels.models import Account, Inbound
from channels.receiving import KEPT, prune_inbounds
from channels.services.accounts import deactivate_account, edit_account
from channels.transports.mail.mailbox import LEFT_OUT
from channels.transports.mail.progress import KEY
from channels.transports.mail.transport import mail_settings_of
from salesflow.accounts.models import Tenant
from tests.channels.mail.corpus.specimen import mail
from tests.channels.mail.devel import NOISE, PASSWORD, MailDevel, refusing_proxy
from tests.channels.mail.factories import OURS, make_mail_account
from tests.cluster import database_url_of_tests
from tests.journeys.processes import free_port

pytestmark = [pytest.mark.usefixtures("tenant"), pytest.mark.filterwarnings(NOISE)]


def mailbox(server: MailDevel, **fields: Any) -> Account:
    """An account that reads our mailbox on a server."""
    given: dict[str, Any] = {"imap_host": "127.0.0.1", "imap_port": server.imap}
    return make_mail_account(**given | {"imap_user": OURS, "imap_password": PASSWORD} | fields)


def known_mailbox(server: MailDevel, **fields: Any) -> Account:
    """An account whose mailbox was read before."""
    account = mailbox(server, **fields)
    assert poll_mailbox(account.pk) == 0
    return account


def bodies() -> list[bytes]:
    """What was stored, the oldest first."""
    return [bytes(each.body) for each in Inbound.objects.order_by("id")]


def state_of(account: Account) -> dict[str, Any]:
    """How far the mailbox was read."""
    account.refresh_from_db()
    found: dict[str, Any] = account.state[KEY]
    return found


def poll_now(account: Account) -> int:
    """Poll without waiting for the time that it is put off to."""
    account.refresh_from_db()
    account.state = {KEY: {**account.state.get(KEY, {}), "next_at": ""}}
    account.save(update_fields=["state"])
    assert account.pk in due_mailboxes()
    return poll_mailbox(account.pk)


def edit(account: Account, **fields: Any) -> None:
    """Change an account's settings, as its form does."""
    settings = mail_settings_of(account)
    given = {name: getattr(settings, name) for name in type(settings).model_fields}
    changed = type(settings).model_validate(given | fields)
    edit_account(account, name=account.name, address=account.address, settings=changed)
    account.refresh_from_db()


def test_new_mails_are_stored_byte_for_byte_and_old_ones_stay_where_they_are(
    server: MailDevel,
) -> None:
    server.put(mail("from before"))
    account = known_mailbox(server)
    # Bytes that a decoder would lose, and a line that begins with a dot.
    new = mail(b".\n..Gr\xfc\xdfe \x80", Content_Type="text/plain; charset=x-unknown")
    server.put(new)
    assert poll_mailbox(account.pk) == 1
    assert bodies() == [new]
    assert poll_mailbox(account.pk) == 0


def test_mails_since_a_day_are_read_where_that_is_asked_for(server: MailDevel) -> None:
    server.put(mail("from before"))
    yesterday = (timezone.now() - timedelta(days=1)).date()
    account = mailbox(server, read_since=yesterday)
    assert poll_mailbox(account.pk) == 1


def test_nothing_in_the_mailbox_is_marked(server: MailDevel) -> None:
    account = known_mailbox(server)
    server.put(mail("Hi"))
    assert poll_mailbox(account.pk) == 1
    with server.login() as box:
        assert box.search(None, "UNSEEN")[1] != [b""]


def test_mailbox_that_is_numbered_anew_is_read_again_and_nothing_comes_twice(
    server: MailDevel,
) -> None:
    account = known_mailbox(server)
    server.put(mail("first"))
    assert poll_mailbox(account.pk) == 1
    server.put(mail("second"))
    account.refresh_from_db()
    # What we remember is of another numbering, in which the second one would be passed over.
    account.state = {KEY: {**account.state[KEY], "validity": 1, "last_uid": 10_000}}
    account.save(update_fields=["state"])
    assert poll_mailbox(account.pk) == 1
    assert [body.endswith(b"second") for body in bodies()] == [False, True]


def test_server_that_is_away_is_asked_ever_more_seldom_and_the_error_goes_with_it(
    server: MailDevel,
) -> None:
    account = known_mailbox(server)
    server.put(mail("Hi"))
    settings = account.settings
    Account.objects.filter(pk=account.pk).update(settings=settings | {"imap_port": free_port()})
    waits = []
    for _failure in range(3):
        assert poll_now(account) == 0
        waits.append(state_of(account)["next_at"])
        assert account.pk not in due_mailboxes()
    now = timezone.now()
    # For a while nobody minds: a server may be started anew.
    assert hears(account) == ""
    with travel(now + DEAF_AFTER):
        assert "does not answer" in hears(account)
    assert waits == sorted(waits)
    assert waits[-1] > (now + timedelta(seconds=100)).isoformat()
    assert "does not answer" in account.last_error
    assert account.stopped_at is None
    Account.objects.filter(pk=account.pk).update(settings=settings)
    assert poll_now(account) == 1
    account.refresh_from_db()
    assert (account.last_error, account.last_error_at) == ("", None)
    with travel(now + DEAF_AFTER):
        assert hears(account) == ""


def test_mailbox_that_only_sends_is_deaf_unless_its_answers_come_in_elsewhere() -> None:
    account = make_mail_account()
    assert not is_listening(account)
    assert "no incoming server" in hears(account)
    forwarded = make_mail_account("forwarded@example.com", answers_elsewhere=True)
    assert (hears(forwarded), is_listening(forwarded)) == ("", False)
    deactivate_account(forwarded)
    forwarded.refresh_from_db()
    assert hears(forwarded)


def test_wrong_password_stops_the_account_until_somebody_looks(server: MailDevel) -> None:
    account = mailbox(server, imap_password="wrong-password")
    for _refusal in range(MOST_REFUSALS):
        account.refresh_from_db()
        assert account.stopped_at is None
        assert poll_now(account) == 0
    account.refresh_from_db()
    assert account.stopped_at
    assert "refuses user or password" in account.stopped_reason
    assert "wrong-password" not in account.stopped_reason + account.last_error
    assert account.pk not in due_mailboxes()
    edit(account, imap_password=PASSWORD)
    assert account.pk in due_mailboxes()
    assert poll_mailbox(account.pk) == 0
    assert state_of(account)["refusals"] == 0


def test_mail_that_can_never_be_fetched_does_not_keep_back_those_behind_it(
    server: MailDevel,
) -> None:
    account = known_mailbox(server)
    server.put(mail("poison"))
    server.put(mail("behind"))
    poison = state_of(account)["last_uid"] + 1
    with refusing_proxy(server.imap, b"FETCH %d (BODY" % poison) as port:
        settings = account.settings | {"imap_port": port}
        Account.objects.filter(pk=account.pk).update(settings=settings)
        assert [poll_now(account) for _try in range(MOST_TRIES)] == [0] * MOST_TRIES
        assert bodies() == []
        assert poll_now(account) == 1
    assert bodies()[0].endswith(b"behind")
    [[uid, reason]] = state_of(account)["passed_over"]
    assert uid == poison
    assert "cannot read it" in reason


def test_server_that_answers_as_no_other_does_is_noted_and_asked_more_seldom(
    server: MailDevel,
) -> None:
    with refusing_proxy(server.imap, garbled=(b"UIDVALIDITY", b"UIDVALIDITX")) as port:
        account = mailbox(server, imap_port=port)
        assert poll_mailbox(account.pk) == 0
    account.refresh_from_db()
    assert "do not understand: KeyError" in account.last_error
    assert account.pk not in due_mailboxes()


def test_poll_that_was_asked_for_before_the_last_one_failed_does_not_try_again(
    server: MailDevel,
) -> None:
    account = mailbox(server, imap_port=free_port())
    assert [poll_mailbox(account.pk) for _ in range(3)] == [0, 0, 0]
    assert state_of(account)["failures"] == 1


def test_account_that_is_not_in_use_any_more_is_not_read(server: MailDevel) -> None:
    account = known_mailbox(server)
    server.put(mail("Hi"))
    deactivate_account(account)
    assert poll_mailbox(account.pk) == 0
    assert bodies() == []


def test_poll_without_news_writes_nothing(server: MailDevel) -> None:
    account = known_mailbox(server)
    with CaptureQueriesContext(connection) as told:
        assert poll_mailbox(account.pk) == 0
    assert not [query for query in told.captured_queries if "UPDATE" in query["sql"]]


def test_state_of_another_version_keeps_no_mailbox_from_being_read(server: MailDevel) -> None:
    account = known_mailbox(server)
    account.state = {KEY: {**state_of(account), "idle_since": 7}}
    account.save(update_fields=["state"])
    server.put(mail("Hi"))
    assert due_mailboxes() == [account.pk]
    assert poll_mailbox(account.pk) == 1


@pytest.mark.parametrize("password", ["wrong-password", "falsches-Paßwort"])
def test_refused_password_is_told_as_that(server: MailDevel, password: str) -> None:
    account = mailbox(server, imap_password=password)
    assert poll_mailbox(account.pk) == 0
    account.refresh_from_db()
    assert "refuses user or password" in account.last_error
    assert password not in account.last_error


def test_two_polls_of_a_mailbox_do_not_run_at_once(server: MailDevel) -> None:
    account = known_mailbox(server)
    server.put(mail("Hi"))
    lock = (LOCK, str(account.pk))
    with psycopg.connect(database_url_of_tests()) as other:
        other.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", lock)
        assert poll_mailbox(account.pk) == 0
        other.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", lock)
    assert poll_mailbox(account.pk) == 1


def test_of_a_mail_that_is_too_large_the_head_is_stored(server: MailDevel) -> None:
    account = known_mailbox(server)
    large = mail("x" * 100 + "\n", Subject="Film") * 1
    server.put(large + b"0123456789abcdef\r\n" * 1_500_000)
    assert poll_mailbox(account.pk) == 1
    [body] = bodies()
    assert body.startswith(LEFT_OUT.encode())
    assert b"Subject: Film" in body
    assert len(body) < 2000


def test_mailbox_is_read_on_where_its_password_changes_and_anew_where_it_is_another(
    server: MailDevel,
) -> None:
    account = known_mailbox(server)
    server.put(mail("first"))
    edit(account, smtp_host="smtp.example.com", imap_password=PASSWORD)
    assert poll_mailbox(account.pk) == 1
    server.put(mail("second"))
    edit(account, imap_folder="Inbox")
    assert KEY not in account.state
    assert poll_mailbox(account.pk) == 0
    edit(account, read_since=(timezone.now() - timedelta(days=1)).date())
    # The first one is known.
    assert poll_mailbox(account.pk) == 1


def test_accounts_that_receive_nothing_are_not_due(tenant: Tenant, server: MailDevel) -> None:
    account = mailbox(server, imap_host="")
    idle = mailbox(server, address="other@acme.example.com")
    assert due_mailboxes() == [idle.pk]
    Account.objects.filter(pk=idle.pk).update(is_active=False, is_default=False)
    assert account.pk not in due_mailboxes()
    assert due_mailboxes() == []


def test_deliveries_of_long_ago_are_deleted(server: MailDevel) -> None:
    account = known_mailbox(server)
    server.put(mail("old"))
    server.put(mail("new"))
    assert poll_mailbox(account.pk) == 2
    old = Inbound.objects.order_by("id")[0]
    Inbound.objects.filter(pk=old.pk).update(received_at=timezone.now() - KEPT - timedelta(days=1))
    assert prune_inbounds() == 1
    assert [body.endswith(b"new") for body in bodies()] == [True]
