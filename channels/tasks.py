"""Thin Celery entry points; losing any of these messages costs seconds, never a mail."""

from uuid import UUID

from celery import shared_task

from channels import mailboxes, pacing, receiving
from channels.services.conversations import wake_conversations as wake
from channels.tracking import hits

# Seconds: where no worker ran for long, not all polls of that time are made up for.
EXPIRES = 600


@shared_task(name="channels.tasks.poll_mailboxes")
def poll_mailboxes() -> None:
    """Have all mailboxes looked at that are due; a slow server delays its own mails alone."""
    for account_id in mailboxes.due_mailboxes():
        poll_mailbox.apply_async((str(account_id),), expires=EXPIRES)


@shared_task(name="channels.tasks.poll_mailbox")
def poll_mailbox(account_id: str) -> None:
    """Store what has come into one mailbox."""
    mailboxes.poll_mailbox(UUID(account_id))


@shared_task(name="channels.tasks.wake_conversations")
def wake_conversations() -> None:
    """Open the snoozed conversations whose time has come."""
    wake()


@shared_task(name="channels.tasks.judge_hits")
def judge_hits() -> None:
    """Tell people from machines among those who opened mails and followed links."""
    hits.judge_hits()


@shared_task(name="channels.tasks.forget_places")
def forget_places() -> None:
    """Delete what pacing does not need any more."""
    pacing.forget_places()


@shared_task(name="channels.tasks.prune_inbounds")
def prune_inbounds() -> None:
    """Delete deliveries that were taken in long ago."""
    receiving.prune_inbounds()
