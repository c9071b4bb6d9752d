"""The words of messages."""

import re
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from channels.models import Channel
from channels.services.queueing.drafts import Letter, each

# The most characters of a text. WhatsApp: Cloud API reference, messages, text.body. LinkedIn: what
# the message box takes.
LONGEST_BODY = {Channel.EMAIL: 100_000, Channel.WHATSAPP: 4096, Channel.LINKEDIN: 8000}
LONGEST_SUBJECT = 200


# What mail programs put before the subject of an answer: English, German, Dutch, Nordic, Spanish.
ANSWER = re.compile(r"^(?:(?:re|aw|antw|sv|rv)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)


def answered_subject(subject: str) -> str:
    """The subject of an answer, which begins with one “Re:”, whoever has answered before."""
    return f"Re: {ANSWER.sub('', subject)}"[:LONGEST_SUBJECT].rstrip()


def read(letters: Sequence[Letter]) -> None:
    """On which channel each goes, and what it says."""

    def check(letter: Letter) -> None:
        draft = letter.draft
        letter.channel = known_channel(draft.channel)
        subject = draft.subject.strip()
        if draft.answers and not subject and letter.channel == Channel.EMAIL:
            subject = draft.answers.subject and answered_subject(draft.answers.subject)
        letter.body, letter.subject = _checked_text(letter.channel, draft.body, subject)

    each(letters, check)


def known_channel(channel: str) -> Channel:
    """The channel called so.

    Raises:
        ValidationError: under "channel": there is none.
    """
    try:
        return Channel(channel)
    except ValueError:
        known = ", ".join(Channel.values)
        reason = _("There is no channel “%(channel)s” (channels: %(known)s).")
        raise ValidationError({"channel": reason % {"channel": channel, "known": known}}) from None


def _checked_text(channel: Channel, body: str, subject: str) -> tuple[str, str]:
    """Body and subject, tidied, or a ValidationError that names what is wrong with both."""
    errors = {}
    body = body.strip()
    if not body:
        errors["body"] = _("Write something.")
    elif len(body) > LONGEST_BODY[channel]:
        reason = _("A message on this channel holds up to %(longest)d characters.")
        errors["body"] = reason % {"longest": LONGEST_BODY[channel]}
    if subject and channel != Channel.EMAIL:
        errors["subject"] = _("Only e-mails have a subject.")
    elif len(subject) > LONGEST_SUBJECT:
        errors["subject"] = _("A subject holds up to 200 characters.")
    # A line break in a subject would let its writer add headers to the mail.
    elif len(subject.splitlines()) > 1:
        errors["subject"] = _("A subject is one line.")
    errors |= {
        name: _("Null characters are not allowed.")
        for name, text in (("body", body), ("subject", subject))
        if "\x00" in text
    }
    if errors:
        raise ValidationError(errors)
    return body, subject
