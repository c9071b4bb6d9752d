"""Events that only these tests publish."""

from typing import Annotated
from uuid import UUID

from events import Payload
from events.payloads import MASKED, READ_ONLY


class ThingHappened(Payload, type="thing.happened", subject="thing"):
    """Something about a thing."""

    thing_id: UUID
    number: int = 0


class OtherHappened(Payload, type="other.happened"):
    """Something about nothing."""

    number: int = 0


class AccountOpened(Payload, type="account.opened", subject="account"):
    """Something with fields that the console does not edit."""

    account_id: UUID
    number: Annotated[str, READ_ONLY]
    secret: Annotated[str, MASKED] = ""
    owner: str = ""
