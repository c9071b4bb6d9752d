"""How far a mailbox was read."""

from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.db import transaction

from channels.models import Account

KEY = "mailbox"
# Whoever changes one of these means another mailbox, or wants it to be read from another day on.
BEGINNING = frozenset({"smtp_user", "imap_user", "imap_folder", "read_since"})
# What is counted while a mailbox cannot be read.
TROUBLES = ("failures", "refusals", "next_at", "failing_since")


@dataclass
class Progress:
    """How far a mailbox was read, kept in `Account.state`.

    Attributes:
        validity: the server's UIDVALIDITY; 0 before the first poll.
        last_uid: the last mail that was stored, or passed over.
        failures: polls in a row that failed; `refusals` of them because of user or password.
        next_at: not before.
        failing_since: when the first one of them failed; empty while the mailbox can be read.
        stuck: the mail at which polls fail, and how often they did.
        passed_over: mails that could not be fetched: UID and reason.
    """

    validity: int = 0
    last_uid: int = 0
    failures: int = 0
    refusals: int = 0
    next_at: str = ""
    failing_since: str = ""
    stuck: list[int] = field(default_factory=lambda: [0, 0])
    passed_over: list[list[Any]] = field(default_factory=list)

    @classmethod
    def of(cls, account: Account) -> "Progress":
        """As it was saved last; what another version has kept beside it is left out."""
        names = {each.name for each in fields(cls)}
        kept = account.state.get(KEY, {})
        return cls(**{name: value for name, value in kept.items() if name in names})

    def save(self, account: Account) -> None:
        """Keep it; the rest of the account's state is left alone."""
        with transaction.atomic():
            row = Account.objects.select_for_update().get(pk=account.pk)
            row.state = {**row.state, KEY: asdict(self)}
            row.save(update_fields=["state"])
        account.state = row.state


def remembered(state: Mapping[str, Any], changed: Set[str]) -> dict[str, Any]:
    """What still holds of an account's state after its settings were changed; it is due at once."""
    kept = {name: value for name, value in state.items() if name != KEY}
    if KEY not in state or changed & BEGINNING:
        return kept
    place = {name: value for name, value in state[KEY].items() if name not in TROUBLES}
    return {**kept, KEY: place}
