"""To whom messages go, in which conversations, and through which accounts."""

from collections.abc import Sequence
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.models import Account, Channel, Conversation, Identity
from channels.services.queueing.drafts import NO_LEAD, Letter, complaint, each
from channels.transports import Transport, TransportError, transport_named
from leads.contact_points import normalise_email
from leads.models import Lead
from leads.queries import read_contact_values

MOST_COPIES = 50
# Names a lead that has no address on a channel.
NO_ADDRESS = {
    Channel.EMAIL: gettext_lazy("The lead has no e-mail address."),
    Channel.WHATSAPP: gettext_lazy("The lead has no phone number."),
    Channel.LINKEDIN: gettext_lazy("The lead has no LinkedIn profile."),
}


def find_leads(letters: Sequence[Letter]) -> None:
    """The leads as they are in the database, locked by their ids."""
    wanted = {letter.draft.lead.pk for letter in letters}
    # Not against those who only refer to them. And no join: PostgreSQL drops a row from a join
    # whose key was changed while we waited for it.
    rows = Lead.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
    known = {lead.pk: lead for lead in rows} if wanted else {}
    read_contact_values(known.values())

    def check(letter: Letter) -> None:
        if letter.draft.lead.pk not in known:
            raise complaint("lead", _("The lead was deleted."), NO_LEAD)
        letter.lead = known[letter.draft.lead.pk]
        _refuse_foreign_answer(letter)

    each(letters, check)


def take_leads(letters: Sequence[Letter]) -> None:
    """The leads as the caller holds them."""

    def check(letter: Letter) -> None:
        letter.lead = letter.draft.lead
        _refuse_foreign_answer(letter)

    each(letters, check)


def _refuse_foreign_answer(letter: Letter) -> None:
    answers = letter.draft.answers
    if answers and (answers.lead_id, answers.channel) != letter.place:
        raise ValidationError({"answers": _("It answers a message of another conversation.")})


def find_conversations(letters: Sequence[Letter]) -> None:
    """The conversations that there are, locked by their ids; new ones wait until all is asked."""
    places = {letter.place for letter in letters}
    rows = Conversation.objects.select_for_update(no_key=True).order_by("pk")
    if places:
        leads, channels = zip(*places, strict=True)
        rows = rows.filter(lead__in=set(leads), channel__in=set(channels))
    known = {(row.lead_id, row.channel): row for row in rows} if places else {}
    for letter in letters:
        letter.conversation = known.get(letter.place)


def find_accounts(letters: Sequence[Letter]) -> None:
    """Through which account each goes out; the ones before it may have been taken away."""
    by_id, by_channel = _accounts_for(letters)

    def check(letter: Letter) -> None:
        conversation, wanted = letter.conversation, letter.draft.account
        candidates = [
            by_id.get(wanted.pk if wanted else None),
            by_id.get(conversation.account_id if conversation else None),
            by_channel.get(letter.channel),
        ]
        found = (row for row in candidates if row and row.channel == letter.channel)
        account = next(found, None)
        if account is None:
            reason = _(
                "No account is connected for %(channel)s: an admin can connect one in the settings."
            )
            raise complaint("channel", reason % {"channel": letter.channel.label}, "no_account")
        letter.account, letter.transport = account, _transport_of(account)

    each(letters, check)


def _accounts_for(
    letters: Sequence[Letter],
) -> tuple[dict[UUID | None, Account], dict[str, Account]]:
    """The accounts in use that may be meant, by id; and the default ones by channel."""
    ids: set[UUID | None] = {each.draft.account.pk for each in letters if each.draft.account}
    ids |= {each.conversation.account_id for each in letters if each.conversation}
    meant = Q(pk__in=ids - {None}) | Q(is_default=True)
    rows = list(Account.objects.filter(meant, is_active=True)) if letters else []
    return (
        {row.pk: row for row in rows},
        {row.channel: row for row in rows if row.is_default},
    )


def _transport_of(account: Account) -> Transport:
    try:
        return transport_named(account.transport)
    except TransportError as error:
        raise complaint("channel", error.reason, "no_account") from None


def find_addresses(letters: Sequence[Letter]) -> None:
    """To which address of its lead each goes, and to whom else."""
    hidden = _hidden_addresses(letters)

    def check(letter: Letter) -> None:
        known = _shown_addresses(letter) or hidden.get(letter.place, [])
        wanted = letter.draft.to_address
        if not known:
            raise complaint("channel", NO_ADDRESS[letter.channel], "no_address")
        if wanted and wanted not in known:
            reason = _("“%(address)s” is none of the lead's addresses.")
            raise ValidationError({"to_address": reason % {"address": wanted}})
        letter.address = wanted or known[0]
        letter.cc = _checked_copies(letter)

    each(letters, check)


def _shown_addresses(letter: Letter) -> list[str]:
    return letter.lead.values_of(letter.channel.contact_kind)


def _hidden_addresses(letters: Sequence[Letter]) -> dict[tuple[UUID, str], list[str]]:
    """Under which ids vendors know the leads who show no address, the newest first."""
    without = {letter.lead.pk for letter in letters if not _shown_addresses(letter)}
    found: dict[tuple[UUID, str], list[str]] = {}
    if without:
        rows = Identity.objects.filter(lead__in=without).order_by("-id")
        for lead, channel, known in rows.values_list("lead", "account__channel", "external_id"):
            found.setdefault((lead, channel), []).append(known)
    return found


def _checked_copies(letter: Letter) -> list[str]:
    """The addresses in normal form, each once, and none that gets the mail anyway."""
    given = letter.draft.cc
    if given and letter.channel != Channel.EMAIL:
        raise ValidationError({"cc": _("Only e-mails have copies.")})
    try:
        normal = dict.fromkeys(normalise_email(each) for each in given if each.strip())
    except ValidationError as error:
        raise ValidationError({"cc": error.messages}) from None
    copies = [address for address in normal if address != letter.address]
    if len(copies) > MOST_COPIES:
        reason = _("A mail goes to up to %(most)d people as a copy.")
        raise ValidationError({"cc": reason % {"most": MOST_COPIES}})
    return copies
