"""Mails of SalesFlow to the people who work with it; those to leads are the channels'."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage


def send_mail(to: Sequence[str], subject: str, paragraphs: Iterable[str], message_id: UUID) -> None:
    """Send one mail through the server that SALESFLOW_EMAIL_URL names.

    Args:
        message_id: the same at every attempt, for mail servers that drop what they have already.

    Raises:
        OSError: the server does not take it; `smtplib.SMTPException` is one.
    """
    host = settings.EMAIL_FROM.rpartition("@")[2].rstrip(">")
    EmailMessage(
        # One line: a break would let whoever wrote it add headers.
        subject=" ".join(f"[SalesFlow] {subject}".split()),
        body="\n\n".join(paragraphs) + "\n",
        from_email=settings.EMAIL_FROM,
        to=to,
        headers={"Message-ID": f"<{message_id}@{host}>", "Auto-Submitted": "auto-generated"},
    ).send()
