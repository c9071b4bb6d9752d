"""What Meta's calls to our webhook have to bring, and which accounts they are about."""

import hashlib
import hmac

from channels.models import Account
from channels.transports.whatsapp.json_access import part_of
from channels.transports.whatsapp.reading import changes_of, number_of


def signature_of(body: bytes, secret: str) -> str:
    """The header `X-Hub-Signature-256` of a call. Source: Graph API, "Webhooks"."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def is_signed(body: bytes, header: str, secret: str) -> bool:
    """Whether a call comes from Meta; without a secret none does."""
    expected = signature_of(body, secret).encode()
    return bool(secret) and hmac.compare_digest(expected, header.encode("utf-8", "replace"))


def is_same(given: str, secret: str) -> bool:
    """Whether somebody knows a secret; an empty one nobody does."""
    return bool(secret) and hmac.compare_digest(secret.encode(), given.encode("utf-8", "replace"))


def accounts_meant(account: Account, body: bytes) -> list[Account]:
    """The accounts of the same tenant that a call is about.

    All numbers of one of Meta's apps report to one address, that of `account`. What is about no
    number, such as a template, is the account's own.
    """
    named = {number_of(part_of(change, "value")) for change in changes_of(body)} - {""}
    others = named - {account.settings.get("phone_number_id")}
    if not others:
        return [account]
    rows = Account.objects.filter(
        transport=account.transport, is_active=True, settings__phone_number_id__in=others
    )
    return [account, *rows.exclude(pk=account.pk)]
