"""The transport: messages to the Cloud API, webhook calls to facts."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Any, ClassVar, cast

from django.utils.translation import gettext_lazy as _
from pydantic import Field, SecretStr, field_validator

from channels.models import Account
from channels.services.accounts import settings_of
from channels.transports.facts import Fact, File
from channels.transports.interface import (
    AccountSettings,
    BaseTransport,
    Limits,
    Outgoing,
    Receipt,
    TransportError,
)
from channels.transports.whatsapp.client import GraphClient, TooLong, ask_challenge
from channels.transports.whatsapp.content import body_of
from channels.transports.whatsapp.json_access import objects_in, text_of
from channels.transports.whatsapp.reading import read_call

# Bytes of the largest file that is taken in. WhatsApp's documents may have 100 MB.
LARGEST_FILE = 20_000_000
LONGEST_VENDOR_ID, LONGEST_EXTERNAL_ID = 255, 254
ID = re.compile(r"\d{5,25}")
TOKEN = re.compile(r"[!-~]{1,1000}")


class WhatsAppSettings(AccountSettings):
    """What Meta's developer pages say of a number."""

    phone_number_id: str = Field(
        min_length=1,
        title=cast(str, _("Phone number ID")),
        description=cast(str, _("Under “API setup”: Meta's id of the number, not the number.")),
    )
    business_account_id: str = Field(
        default="",
        title=cast(str, _("WhatsApp Business Account ID")),
        description=cast(str, _("Under “API setup”.")),
    )
    access_token: SecretStr = Field(
        title=cast(str, _("Access token")),
        description=cast(str, _("Of a system user, so that it does not expire.")),
    )
    app_secret: SecretStr = Field(
        title=cast(str, _("App secret")),
        description=cast(str, _("Under “App settings, Basic”: it signs what Meta sends us.")),
    )
    verify_token: SecretStr = Field(
        title=cast(str, _("Verify token")),
        description=cast(str, _("Words of your choice: the same ones as in Meta's webhook form.")),
    )

    @field_validator("phone_number_id", "business_account_id")
    @classmethod
    def _checked_id(cls, given: str) -> str:
        """Such as can stand in an address."""
        given = given.strip()
        if given and not ID.fullmatch(given):
            raise ValueError(_("An ID of Meta's has digits alone, without a plus."))
        return given

    @field_validator("access_token", "app_secret", "verify_token")
    @classmethod
    def _tidy(cls, secret: SecretStr) -> SecretStr:
        """Without the blanks that copying brings along; such as a header can carry."""
        text = secret.get_secret_value().strip()
        if not TOKEN.fullmatch(text):
            raise ValueError(_("Letters, digits and signs alone, without blanks."))
        return SecretStr(text)


class WhatsAppTransport(BaseTransport):
    """See the module."""

    name = "whatsapp"
    label = _("WhatsApp Cloud API")
    description = _("For a number that is registered with Meta for the Cloud API.")
    webhook_route = "channels-public:whatsapp-webhook"
    settings: ClassVar[type[AccountSettings]] = WhatsAppSettings
    # 80 messages a second for a number; to one person one in 6 seconds, a few at once.
    limits = Limits(interval=1 / 80, pair_interval=6.0, burst=5)
    window_hours: int | None = 24

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Hand one message to Meta; that it reached the person is told by the webhook."""
        known = _known(account)
        answer = _client(known).post_message(known.phone_number_id, body_of(outgoing))
        message = next(objects_in(answer, "messages"), {})
        person = next(objects_in(answer, "contacts"), {})
        vendor_id = text_of(message, "id", LONGEST_VENDOR_ID)
        if not vendor_id:
            reason = _("WhatsApp's answer does not say whether it took the message.")
            raise TransportError(reason, unknown=True)
        external_id = text_of(person, "wa_id") or text_of(person, "user_id")
        return Receipt(vendor_id=vendor_id, external_id=external_id[:LONGEST_EXTERNAL_ID])

    def check(self, account: Account) -> None:
        """Read the number with the token, proving that we know the app's secret too."""
        known = _known(account)
        token, secret = known.access_token, known.app_secret
        # Source: Graph API, "Secure requests": refused where the token is of another app.
        proof = hmac.new(
            secret.get_secret_value().encode(), token.get_secret_value().encode(), hashlib.sha256
        )
        _client(known).get(
            known.phone_number_id,
            fields="display_phone_number,verified_name,quality_rating",
            appsecret_proof=proof.hexdigest(),
        )

    def check_webhook(self, account: Account, url: str) -> None:
        """Call our own address as Meta does at the handshake."""
        challenge = secrets.token_hex(8)
        token = _known(account).verify_token.get_secret_value()
        if ask_challenge(url, token, challenge) != challenge:
            raise TransportError(_("Something else answers at the webhook's address."))

    def read(self, account: Account, body: bytes) -> Iterable[Fact]:
        """What a webhook call says about the account's number."""
        return read_call(body, account.settings.get("phone_number_id", ""))

    def fetch_file(self, account: Account, vendor_id: str) -> File:
        """A file that somebody has sent; Meta keeps it for 30 days."""
        client = _client(_known(account))
        told = client.get(vendor_id)
        size, url = _size_of(told), text_of(told, "url")
        kind = text_of(told, "mime_type", 127).partition(";")[0].strip()
        refused = File("", kind, size=size, vendor_id=vendor_id, reason=str(TOO_LARGE))
        if size > LARGEST_FILE:
            return refused
        try:
            data = client.download(url, LARGEST_FILE)
        except TooLong:
            return refused
        digest = text_of(told, "sha256")
        if digest and not hmac.compare_digest(hashlib.sha256(data).hexdigest(), digest.lower()):
            raise TransportError(_("The file did not arrive as it was sent."))
        return File("", kind, data, size=len(data), vendor_id=vendor_id)


TOO_LARGE = _("The file is larger than 20 MB.")


def _known(account: Account) -> WhatsAppSettings:
    return cast(WhatsAppSettings, settings_of(account))


def _client(known: WhatsAppSettings) -> GraphClient:
    return GraphClient(known.access_token.get_secret_value())


def _size_of(told: Any) -> int:
    size = told.get("file_size")
    return int(size) if isinstance(size, int | str) and str(size).isdecimal() else 0
