"""Whose mails may tell of themselves.

Source: ePrivacy directive, article 5 (3): to learn from somebody's device needs their consent. What
else lets us write to them (a contract, a legitimate interest) does not replace it.
"""

from channels.models import AddressStanding, LawfulBasis, Message
from channels.services.consent import standing_of


def agrees(standing: AddressStanding | None) -> bool:
    """Whether whoever reads at an address of that standing has agreed, and still does."""
    if standing is None or standing.opted_out_at:
        return False
    return standing.basis == LawfulBasis.CONSENT


def may_tell(message: Message) -> bool:
    """Whether a message may carry what tells of it, and what it tells may be kept, now."""
    return message.tracks and agrees(standing_of(message.channel, message.address))
