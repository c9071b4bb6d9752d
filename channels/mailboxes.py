"""Fetching what came into the mailboxes of all tenants.

A mailbox's place, the last UID that was stored, is committed with the mails up to it: none is
lost, and none comes twice. No time of day plays a part in it, and nothing in the mailbox is marked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.models import Account, Channel
from channels.receiving import store_inbound
from channels.services.accounts import note_error, stop_account
from channels.transports import AccountRefused, TransportError
from channels.transports.mail import MailSettings, MailTransport
from channels.transports.mail.mailbox import Mailbox, Place, open_mailbox
from channels.transports.mail.progress import Progress
from channels.transports.mail.transport import mail_settings_of
from salesflow.accounts.context import tenant_context

log = structlog.get_logger(__name__)

# Any number that is ours alone among two-part advisory locks.
LOCK = 741_853
# So many mails one poll takes; the next one goes on.
MOST_AT_ONCE = 200
# Days that are read again where the server has numbered its mails anew. Deliveries are kept for
# longer, so that what was taken in is known again, even if its lead was deleted.
READ_AGAIN = timedelta(days=14)
# After so many refusals in a row of user or password the account is stopped.
MOST_REFUSALS = 3
# After so many polls in a row that failed at one mail, which takes half an hour, it is left where
# it is: else none behind it would ever come in.
MOST_TRIES = 6
UNREADABLE = _("The server for incoming mail answers in a way that we do not understand: {error}")
# Seconds until the next poll after the first failure, the second, …
WAITS = (30, 60, 120, 300, 600, 900)


def due_mailboxes() -> list[UUID]:
    """The accounts of all tenants whose mailbox is to be looked at now."""
    rows = Account.unscoped.filter(
        channel=Channel.EMAIL, transport=MailTransport.name, is_active=True
    )
    return [account.pk for account in rows if _is_due(account)]


def _is_due(account: Account) -> bool:
    if not account.is_active or not account.settings.get("imap_host"):
        return False
    progress = Progress.of(account)
    if account.stopped_at and progress.refusals >= MOST_REFUSALS:
        # Somebody has to look at the password first.
        return False
    return not progress.next_at or datetime.fromisoformat(progress.next_at) <= timezone.now()


def poll_mailbox(account_id: UUID) -> int:
    """Store what has come into a mailbox since the last time; one poll of it at a time.

    Returns:
        How many mails were stored; 0 also where another poll is at it, or it failed: then the
        account tells why, and is tried again later.
    """
    account = Account.unscoped.select_related("tenant").filter(pk=account_id).first()
    if account is None:
        return 0
    with tenant_context(account.tenant), _alone(account) as is_alone:
        if not is_alone:
            return 0
        account.refresh_from_db()
        # Other polls may have been asked for before this one got its turn, and have failed.
        return _poll(account) if _is_due(account) else 0


def _poll(account: Account) -> int:
    progress = Progress.of(account)
    try:
        settings = mail_settings_of(account)
        with open_mailbox(settings) as mailbox:
            return _take(account, settings, mailbox, progress)
    except TransportError as error:
        _note_failure(account, progress, error)
    except DatabaseError:
        raise
    except Exception as error:
        # A server that answers as no other does: it is noted and asked more seldom, like one that
        # is down, and a mail at which it happens again and again is passed over.
        log.exception("mailbox_poll_broke", account=str(account.pk))
        reason = format_lazy(UNREADABLE, error=type(error).__name__)
        _note_failure(account, progress, TransportError(reason))
    return 0


@contextmanager
def _alone(account: Account) -> Iterator[bool]:
    """Whether nobody else polls the mailbox; the lock goes with the connection at the latest."""
    name = (LOCK, str(account.pk))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", name)
        is_alone = bool(cursor.fetchone()[0])
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", name)


def _take(account: Account, settings: MailSettings, mailbox: Mailbox, progress: Progress) -> int:
    place = mailbox.place()
    # Another server may number from the same start.
    if progress.validity != place.validity or progress.last_uid >= place.uid_next:
        _begin(progress, settings, mailbox, place)
    stored = 0
    for uid in mailbox.uids_after(progress.last_uid)[:MOST_AT_ONCE]:
        stored += _take_one(account, progress, mailbox, uid)
    if progress.failures:
        _clear_error(account)
    progress.failures = progress.refusals = 0
    progress.next_at = progress.failing_since = ""
    if progress != Progress.of(account):
        progress.save(account)
    return stored


def _begin(progress: Progress, settings: MailSettings, mailbox: Mailbox, place: Place) -> None:
    """Where to begin in a mailbox that is new to us, or whose server has numbered it anew."""
    is_new = progress.validity == 0
    since = settings.read_since if is_new else (timezone.now() - READ_AGAIN).date()
    first = mailbox.first_since(since) if since else None
    progress.validity = place.validity
    progress.last_uid = (first if first is not None else place.uid_next) - 1
    progress.stuck = [0, 0]


def _take_one(account: Account, progress: Progress, mailbox: Mailbox, uid: int) -> int:
    """Store a mail and move on, in one transaction; pass one over that can never be fetched."""
    tries = progress.stuck[1] if progress.stuck[0] == uid else 0
    if tries >= MOST_TRIES:
        progress.passed_over = [*progress.passed_over, [uid, account.last_error]][-20:]
        log.warning("mail_passed_over", account=str(account.pk), uid=uid)
        body = None
    else:
        progress.stuck = [uid, tries + 1]
        body = mailbox.fetch(uid)
    with transaction.atomic():
        inbound = store_inbound(account, body) if body else None
        progress.last_uid, progress.stuck = uid, [0, 0]
        progress.save(account)
    return int(inbound is not None)


def _note_failure(account: Account, progress: Progress, error: TransportError) -> None:
    """Try again later, ever more seldom; ask for somebody where the password is refused."""
    progress.failures += 1
    progress.failing_since = progress.failing_since or timezone.now().isoformat()
    progress.refusals = progress.refusals + 1 if isinstance(error, AccountRefused) else 0
    wait = WAITS[min(progress.failures, len(WAITS)) - 1]
    progress.next_at = (timezone.now() + timedelta(seconds=wait)).isoformat()
    progress.save(account)
    note_error(account.pk, error.reason)
    log.warning("mailbox_not_read", account=str(account.pk), reason=str(error.reason))
    if progress.refusals >= MOST_REFUSALS:
        stop_account(account.pk, _in_words(error.reason))


def _in_words(reason: str | Promise) -> Promise:
    return format_lazy(_("The mailbox cannot be read: {reason}"), reason=reason)


def _clear_error(account: Account) -> None:
    """The mailbox works again, and what was wrong with it is past; not what came up meanwhile."""
    rows = Account.objects.filter(pk=account.pk, last_error_at=account.last_error_at)
    rows.update(last_error="", last_error_at=None)
