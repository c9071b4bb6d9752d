"""A mail of a sequence sent to whoever builds it, as it would read for a lead.

It goes through the team's account, so that it looks as it will, but it is no message to the lead:
nothing of it is counted, nothing in it is tracked, and it has no way to opt out.
"""

from collections.abc import Iterable
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from channels.models import Account, AccountTrial, Channel
from channels.sequences.decisions import Send
from channels.sequences.models import Version
from channels.sequences.previewing import preview
from channels.services.queueing import LONGEST_SUBJECT
from channels.templating import Filled, Incomplete
from channels.trials import request_trial
from channels.variables import names_in_words
from leads.models import Lead
from salesflow.accounts.models import User


def try_mail(version: Version, step: UUID, lead: Lead, actor: User) -> AccountTrial:
    """Have a mail of a sequence sent to `actor`, as it would go to a lead who came in now.

    Args:
        step: its key.

    Raises:
        ValidationError: the lead would not get this mail, something in it is not known, or there is
            no account that sends it.
        Unpreviewable: a text cannot be read, or a step has nothing to send.
    """
    account: Account | None = Account.objects.filter(
        channel=Channel.EMAIL, is_default=True, is_active=True
    ).first()
    if account is None:
        raise ValidationError(_("No account is connected for e-mails."))
    planned = [each.action for each in preview(version, lead)]
    mails = [each for each in planned if isinstance(each, Send) and each.step.channel == "email"]
    meant = next((each for each in mails if each.step.key == step), None)
    if meant is None:
        told = {"name": lead.name}
        raise ValidationError(_("%(name)s would not get this mail.") % told)
    subject = _subject_of(meant, mails[: mails.index(meant)])
    return request_trial(
        account,
        AccountTrial.Kind.SEND,
        address=actor.email,
        actor=actor,
        subject=(_("[Test] %(subject)s") % {"subject": subject})[:LONGEST_SUBJECT],
        body=_text_of(meant.body),
    )


def _subject_of(mail: Send, before: Iterable[Send]) -> str:
    """Its own, or that of the thread in which it goes on."""
    if own := _text_of(mail.subject):
        return own
    subjects = filter(None, (_text_of(each.subject) for each in before))
    first = next(subjects, "")
    return _("Re: %(subject)s") % {"subject": first} if first else ""


def _text_of(text: Filled) -> str:
    try:
        return text.text
    except Incomplete as incomplete:
        told = {"names": names_in_words(incomplete.names)}
        raise ValidationError(_("Nothing is known for %(names)s.") % told) from None
