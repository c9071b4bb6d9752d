"""What has to be known of a mailbox."""

from datetime import date
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from pydantic import Field, SecretStr

from channels.transports.interface import AccountSettings


class Security(TextChoices):
    """How a connection is kept from being read."""

    TLS = "tls", _("TLS from the start")
    STARTTLS = "starttls", _("STARTTLS")
    NONE = "none", _("None")


def _field(default: Any, title: Any, description: Any = None, **limits: Any) -> Any:
    # Pydantic only keeps the words; the form reads them in the language of whoever looks.
    return Field(default=default, title=title, description=description, **limits)


class MailSettings(AccountSettings):
    """A mailbox; user and password for receiving are those for sending where they are empty."""

    smtp_host: str = _field(..., _("Outgoing server"), _("Such as smtp.example.com."), min_length=1)
    smtp_port: int = _field(587, _("Port"), ge=1, le=65535)
    smtp_security: Security = _field(Security.STARTTLS, _("Encryption"))
    smtp_user: str = _field("", _("User"), _("Empty: the server asks for none."))
    smtp_password: SecretStr = _field(SecretStr(""), _("Password"))
    imap_host: str = _field(
        "", _("Incoming server"), _("Such as imap.example.com; empty: nothing is received.")
    )
    imap_port: int = _field(993, _("Port"), ge=1, le=65535)
    imap_security: Security = _field(Security.TLS, _("Encryption"))
    imap_user: str = _field("", _("User"), _("Empty: as for sending."))
    imap_password: SecretStr = _field(SecretStr(""), _("Password"), _("Empty: as for sending."))
    imap_folder: str = _field("INBOX", _("Folder"), min_length=1)
    answers_elsewhere: bool = _field(
        False,
        _("Answers come in elsewhere"),
        _(
            "They are forwarded to another mailbox that is connected here. Without that, and"
            " without an incoming server, no program writes through this account."
        ),
    )
    read_since: date | None = _field(
        None, _("Read mails since"), _("Empty: those that come in from now on.")
    )
    from_name: str = _field("", _("Sender's name"), _("Empty: the account's name."), max_length=100)
    signature: str = _field("", _("Signature"), max_length=2000)
    plus_addressing: bool = _field(
        False,
        _("Plus addresses"),
        _(
            "The server takes sales+anything@example.com for sales@example.com: then answers find"
            " their conversation even where a program on the way loses their thread."
        ),
    )

    @property
    def receiver(self) -> tuple[str, str]:
        """User and password for the incoming server."""
        user = self.imap_user or self.smtp_user
        password = self.imap_password.get_secret_value() or self.smtp_password.get_secret_value()
        return user, password
