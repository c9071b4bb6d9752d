"""The transport of mailboxes."""

from collections.abc import Iterable, Mapping, Set
from typing import Any, ClassVar
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from channels.models import Account, MessageType
from channels.services.accounts import settings_of
from channels.transports.facts import Fact
from channels.transports.interface import (
    AccountRefused,
    AccountSettings,
    BaseTransport,
    Limits,
    Outgoing,
    Receipt,
    TransportError,
)
from channels.transports.mail.building import build_mail, thread_with
from channels.transports.mail.identifiers import message_id_of, vendor_id_of
from channels.transports.mail.mailbox import open_mailbox
from channels.transports.mail.matching import matched
from channels.transports.mail.progress import remembered
from channels.transports.mail.reading import read_mail
from channels.transports.mail.sending import connected, plain_addresses, send_mail
from channels.transports.mail.settings import MailSettings

SENDABLE = (MessageType.TEXT, MessageType.TEMPLATE)


class MailTransport(BaseTransport):
    """See the package."""

    name = "mail"
    label = _("Mailbox")
    description = _("For a mailbox of your own, at whatever provider: SMTP out, IMAP in.")
    settings: ClassVar[type[AccountSettings]] = MailSettings
    # What most providers' mailboxes allow; a mail a second.
    limits = Limits(interval=1.0)
    carries_files = True

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Hand one mail to the account's server."""
        if outgoing.message_type not in SENDABLE:
            raise TransportError(_("By e-mail only texts can be sent."), permanent=True)
        settings = mail_settings_of(account)
        recipients = [outgoing.address, *outgoing.cc]
        # No mail can even be written to an address that few servers know.
        plain_addresses([account.address, *recipients])
        mail = build_mail(account, settings, outgoing)
        send_mail(settings, mail, account.address, recipients)
        return Receipt(
            vendor_id=self.foretell_id(account, outgoing.message_id, outgoing.attempt),
            references=self.foretell_references(account, outgoing),
        )

    def foretell_id(self, account: Account, message_id: UUID, attempt: int) -> str:
        """The digest of the Message-ID, which is ours to choose."""
        return vendor_id_of(message_id_of(message_id, attempt, account.address))

    def foretell_references(self, account: Account, outgoing: Outgoing) -> str:
        """The thread that it goes on in, and the Message-ID."""
        return thread_with(outgoing, account.address)

    def check(self, account: Account) -> None:
        """Log in at both servers."""
        settings = mail_settings_of(account)
        with connected(settings):
            pass
        if settings.imap_host:
            with open_mailbox(settings):
                pass

    def remembered(self, state: Mapping[str, Any], changed: Set[str]) -> dict[str, Any]:
        """How far the mailbox was read, if it is the same; one that refused us is tried at once."""
        return remembered(state, changed)

    def read(self, account: Account, body: bytes) -> Iterable[Fact]:
        """What a mail says."""
        return matched(account, read_mail(body, account.address))


def mail_settings_of(account: Account) -> MailSettings:
    """Both servers of an account.

    Raises:
        AccountRefused: it lacks something.
    """
    settings = settings_of(account)
    if not account.address or not isinstance(settings, MailSettings):
        raise AccountRefused(_("The account has no e-mail address."))
    return settings
