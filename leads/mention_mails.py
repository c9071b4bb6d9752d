"""Telling colleagues by mail that a note is meant for them."""

import smtplib
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.text import Truncator, format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events import Permanent
from leads.models import Mention
from salesflow.accounts.context import current_tenant
from salesflow.accounts.mailing import send_mail
from salesflow.accounts.queries import team_members

# Characters of the note.
LONGEST_QUOTE = 2000
REFUSED = gettext_lazy("The mail server refuses {address}.")


def mail_mention(mention_id: int, message_id: UUID) -> bool:
    """Mail a mention to whom it is for, unless they have seen it, want no mails, or have left.

    Args:
        message_id: the same at every attempt.

    Returns:
        Whether a mail was sent.

    Raises:
        Permanent: the mail server refuses the address for good.
        OSError: it does not take the mail now.
    """
    rows = Mention.objects.select_related("note__lead", "note__author", "user")
    mention = rows.filter(pk=mention_id, seen_at=None).first()
    if mention is None:
        return False
    user = mention.user
    if not team_members().filter(pk=user.pk, mention_mails=True).exists():
        return False
    with translation.override(user.language or current_tenant().language):
        subject, paragraphs = words_of(mention)
    try:
        send_mail([user.email], subject, paragraphs, message_id)
    except smtplib.SMTPRecipientsRefused as error:
        if all(code >= 500 for code, _said in error.recipients.values()):
            raise Permanent(format_lazy(REFUSED, address=user.email)) from error
        raise
    return True


def words_of(mention: Mention) -> tuple[str, list[str]]:
    """Subject and paragraphs of the mail, in the current language."""
    note = mention.note
    said = _("{author} mentioned you: {lead}")
    subject = said.format(author=note.author or _("Somebody"), lead=note.lead)
    profile = f"{settings.BASE_URL}{reverse('accounts:profile')}"
    paragraphs = [
        subject,
        Truncator(note.body).chars(LONGEST_QUOTE),
        f"{settings.BASE_URL}{reverse('leads:detail', args=[note.lead_id])}",
        _("You can switch these mails off in your profile: {url}").format(url=profile),
    ]
    return subject, paragraphs
