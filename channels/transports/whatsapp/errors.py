"""What Meta's errors mean for a message and its account, and how people are told.

Decided by the code alone: titles change, and the HTTP status says little. Source: Cloud API, "Error
codes".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.models import MessageTemplate
from channels.transports.interface import AccountRefused, TransportError

# Seconds to leave somebody alone to whom we write too fast.
PAIR_PAUSE = 30.0
# Seconds for what Meta lets rest for hours: limits by quality, and by what people get in all.
LONG_WAIT = 6 * 3600.0
LONGEST_SAYING = 500
SERVER_ERROR, TOO_MANY = 500, 429


class Meaning(Enum):
    """What follows from an error."""

    BACK_OFF = "the server is busy or down: try again with growing waits"
    SLOW_PAIR = "too fast to this person"
    WAIT = "not for hours"
    REFUSED = "this message, for good"
    OPTED_OUT = "this person wants no marketing"
    ACCOUNT = "the account is refused"


MEANINGS: Mapping[Meaning, frozenset[int]] = {
    Meaning.BACK_OFF: frozenset({1, 2, 4, 80007, 130429, 131000, 131016, 131057, 133016}),
    Meaning.SLOW_PAIR: frozenset({131056}),
    Meaning.WAIT: frozenset({130472, 131048, 131049, 131064}),
    Meaning.OPTED_OUT: frozenset({131050}),
    Meaning.ACCOUNT: frozenset(
        {0, 3, 10, 33, 190, *range(200, 300), 368}
        | {130497, 131005, 131031, 131037, 131042, 131044, 131045, 133010}
    ),
    Meaning.REFUSED: frozenset(
        {100, 131008, 131009, 131021, 131026, 131030, 131047, 131051, 131052, 131053}
        | {131062, 131063, 135000, 137000, *range(132000, 133000)}
    ),
}
# What a refusal tells of the template that a message was made from.
TEMPLATES = {
    132015: MessageTemplate.VendorStatus.PAUSED,
    132016: MessageTemplate.VendorStatus.REJECTED,
}
# Code and subcode of "object does not exist". Source: Graph API, "Handling errors".
INVALID, NO_SUCH_OBJECT = 100, 33
WORDS: Mapping[int, Promise] = {
    4: _("Too many calls to WhatsApp; it is tried again later."),
    80007: _("Too many calls to WhatsApp; it is tried again later."),
    130429: _("Too many messages at once; it is tried again later."),
    130472: _("WhatsApp holds marketing back from this person for now."),
    130497: _("WhatsApp does not let this account write to people in that country."),
    131005: _("The access token lacks a permission."),
    131021: _("Sender and recipient are the same number."),
    131026: _("The number cannot be reached on WhatsApp."),
    131030: _("The number is not on the list of test recipients."),
    131031: _("WhatsApp has locked the account."),
    131037: _("The number's display name has to be approved first."),
    131042: _("WhatsApp cannot charge for messages: look at the payment method."),
    131045: _("The number is not registered for the Cloud API."),
    131047: _("The 24 hours since the lead's last message are over: only a template may go."),
    131048: _("WhatsApp holds messages back: too many were marked as spam."),
    131049: _("WhatsApp holds marketing back: this person got much of it lately."),
    131050: _("The person has told WhatsApp that they want no marketing from us."),
    131051: _("WhatsApp does not know this kind of message."),
    131053: _("WhatsApp could not fetch the file."),
    131056: _("Too many messages to this person at once; it is tried again later."),
    132000: _("The template has another number of variables."),
    132001: _("WhatsApp does not know the template in this language."),
    132015: _("WhatsApp has paused the template."),
    132016: _("WhatsApp has disabled the template."),
    133010: _("The number is not registered for the Cloud API."),
    190: _("The access token is not valid any more."),
    368: _("WhatsApp has blocked the account for breaking its rules."),
}


@dataclass(frozen=True)
class Problem:
    """An error as Meta writes it, in an answer or in a webhook call.

    Attributes:
        is_missing: there is nothing under the id that was called, or not for our token.
    """

    code: int
    said: str
    is_missing: bool = False

    @property
    def meaning(self) -> Meaning | None:
        """What follows from it; None: we do not know the code."""
        return next((each for each, codes in MEANINGS.items() if self.code in codes), None)

    @property
    def template_status(self) -> str:
        """What the message's template is by this, as a `MessageTemplate.VendorStatus`."""
        return TEMPLATES.get(self.code, "")

    @property
    def reason(self) -> str | Promise:
        """Why, in words, with what Meta said."""
        words = WORDS.get(self.code)
        if words is None:
            return f"WhatsApp: {self.said} ({self.code})"
        return format_lazy("{words} WhatsApp: {said} ({code})", words=words, said=self.said,
                           code=self.code)  # fmt: skip


def problem_of(error: object) -> Problem | None:
    """The error in what should be one; None: it is none."""
    if not isinstance(error, Mapping):
        return None
    try:
        code = int(error["code"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    is_missing = code == INVALID and error.get("error_subcode") == NO_SUCH_OBJECT
    return Problem(code, _said(error)[:LONGEST_SAYING], is_missing)


def error_of(problem: Problem, status: int, retry_after: float | None = None) -> TransportError:
    """What is to be raised for an error that answers a call.

    Args:
        status: HTTP's; it only counts where the code is unknown.
        retry_after: seconds, where the answer names them.
    """
    reason = problem.reason
    match problem.meaning or _guess(status):
        case Meaning.ACCOUNT:
            return AccountRefused(reason)
        case Meaning.BACK_OFF:
            return TransportError(reason, retry_after=retry_after)
        case Meaning.SLOW_PAIR:
            wait = max(PAIR_PAUSE, retry_after or 0)
            return TransportError(reason, retry_after=wait, at_fault=False)
        case Meaning.WAIT:
            wait = max(LONG_WAIT, retry_after or 0)
            return TransportError(reason, retry_after=wait, at_fault=False)
        case Meaning.OPTED_OUT:
            return TransportError(reason, permanent=True, opted_out=True)
        case Meaning.REFUSED:
            told = problem.template_status
            return TransportError(reason, permanent=True, template_status=told)


def _guess(status: int) -> Meaning:
    is_passing = status >= SERVER_ERROR or status == TOO_MANY
    return Meaning.BACK_OFF if is_passing else Meaning.REFUSED


def _said(error: Mapping[str, Any]) -> str:
    """The most exact of the words that an error brings."""
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, Mapping) else data
    candidates = (details, error.get("message"), error.get("title"))
    return next((text for text in candidates if isinstance(text, str) and text), "?")
