"""Whether messages may go now: consent, window, files."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from channels.files import refuse_files
from channels.models import MessageType
from channels.services.consent import refusal_of, standings_of
from channels.services.queueing.drafts import Letter, complaint, each
from channels.windows import Window, windows_of


def ask_consent(letters: Sequence[Letter]) -> None:
    """Refuse those to people who may not be written to."""
    standings = standings_of((letter.channel, letter.address) for letter in letters)

    def check(letter: Letter) -> None:
        conversation = letter.conversation
        letter.standing = standings.get((letter.channel, letter.address))
        refusal = refusal_of(
            letter.standing,
            letter.draft.purpose,
            written_at=conversation.last_inbound_at if conversation else None,
        )
        if refusal:
            raise complaint("to_address", refusal.reason, refusal.code)

    each(letters, check)


def ask_windows(letters: Sequence[Letter]) -> None:
    """Refuse free text to people who have not written for long, where a vendor wants that."""
    texts = [letter for letter in letters if letter.draft.message_type != MessageType.TEMPLATE]
    limited = [letter for letter in texts if letter.transport.window_hours is not None]
    known = windows_of((row.pk, each.account) for each in limited if (row := each.conversation))
    closed = Window(is_limited=True)

    def check(letter: Letter) -> None:
        row = letter.conversation
        window = known[row.pk, letter.account.pk] if row else closed
        if not window.is_open:
            reason = _(
                "The lead has not written within 24 hours: only an approved template may be sent"
                " now."
            )
            raise complaint("body", reason, "window_closed")

    each(limited, check)


def ask_files(letters: Sequence[Letter]) -> None:
    """Refuse those whose files cannot go along."""

    def check(letter: Letter) -> None:
        refuse_files(letter.draft.files, letter.channel, letter.transport)

    each(letters, check)
