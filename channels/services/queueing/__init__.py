"""Queueing messages to leads, one or hundreds, by the same rules and in as many statements.

What is refused is refused by itself: the others go. Rows are locked in one order everywhere, leads
before conversations, each by their ids, so that two batches wait for each other at most.
"""

from collections.abc import Callable, Iterable, Sequence

from django.db import transaction

from channels.models import Message
from channels.services.queueing.addressing import (
    NO_ADDRESS,
    find_accounts,
    find_addresses,
    find_conversations,
    find_leads,
    take_leads,
)
from channels.services.queueing.drafts import Letter, MessageDraft, Refusal
from channels.services.queueing.permission import ask_consent, ask_files, ask_windows
from channels.services.queueing.texts import LONGEST_BODY, LONGEST_SUBJECT, answered_subject, read
from channels.services.queueing.writing import find_threads, write

__all__ = [
    "LONGEST_BODY",
    "LONGEST_SUBJECT",
    "NO_ADDRESS",
    "MessageDraft",
    "Refusal",
    "answered_subject",
    "queue_messages",
]

# Each finds out a part, or refuses, of those that are left; they are read, and have their leads.
STEPS: tuple[Callable[[Sequence[Letter]], None], ...] = (
    find_conversations,
    find_accounts,
    find_addresses,
    ask_consent,
    ask_windows,
    ask_files,
    find_threads,
    write,
)


def queue_messages(
    drafts: Iterable[MessageDraft], *, holds_leads: bool = False
) -> list[Message | Refusal]:
    """Queue messages to leads; workers give them to their accounts' transports.

    The statements are as many for five hundred drafts as for one, files aside.

    Args:
        holds_leads: the caller has locked the drafts' leads in this transaction, and read them with
            their contact values after that; they are not read again.

    Returns:
        For each draft, in order, its message, queued, or prepared on a channel where a person has
        to carry it; or why there is none.
    """
    letters = [Letter(draft) for draft in drafts]
    with transaction.atomic():
        for step in (read, take_leads if holds_leads else find_leads, *STEPS):
            step([letter for letter in letters if letter.error is None])
    return [letter.outcome for letter in letters]
