"""All that a model is told, and all that its answer may say: one lead's, and nobody else's.

Whatever stands in a prompt comes through here. Every query names the lead, below the tenant that
`objects` adds. Notes, tags, the deal's stage and value are told only for what stays in the house;
keys, other leads and other tenants are in no query here, so nothing that a lead writes can bring
them out.

What is *ours* may be said without a second look, so little is: what colleagues wrote to the lead,
the team's canned replies, and names. What fields of the lead hold may have come in by a web form,
and is theirs wherever it was put in.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone

from channels.autopilot.cleaning import Cleaned, Mark, clean_inbound
from channels.autopilot.given import BLANK, PLAIN_NAME, given_by, is_bare_name, without
from channels.autopilot.grounding import Fact, Facts
from channels.autopilot.grounding.sentences import CLOSING, sentences_of
from channels.models import (
    Account,
    Automatic,
    Channel,
    Conversation,
    Direction,
    Message,
    MessageStatus,
)
from channels.queries import templates_for
from channels.services.templates import fill_template
from channels.templating import Filled, Origin
from leads.capturing.words import FREE_MAIL_DOMAINS, FREE_MAIL_PROVIDERS
from leads.models import Lead, Note
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User

MOST_MESSAGES = 12
# Characters of all messages together, the newest kept: a small model reads no more.
MOST_CHARACTERS = 8_000
MOST_TEXTS, LONGEST_TEXT = 8, 600
MOST_NOTES, LONGEST_NOTE = 5, 1_000
LONGEST_FIELD = 200
# What the lead has, or will have.
REACHED = [MessageStatus.QUEUED, MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ]
US, THEM = "team", "customer"
WORD = re.compile(r"\w+")
SALUTATION = re.compile(
    r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|hallo|liebe[rs]?|moin|servus"
    r"|grüezi|guten (?:tag|morgen|abend)|sehr geehrte[rs]?)\b(?P<rest>[^\n]{0,120})",
    re.IGNORECASE,
)
TITLES = frozenset({"mr", "mrs", "ms", "dr", "prof", "herr", "frau", "there"})


@dataclass(frozen=True)
class Said:
    """A message as a model reads it.

    Attributes:
        is_inbound: the lead wrote it.
        is_vouched: a colleague wrote it, or approved it. What went out without anybody is
            nobody's word.
        at: when, in the tenant's time zone.
        own: what we say in it: all that was vouched for but what the lead's fields hold.
    """

    message_id: UUID
    is_inbound: bool
    is_vouched: bool
    at: datetime
    cleaned: Cleaned
    own: str = ""

    @property
    def label(self) -> str:
        """What it is called where somebody asks for the source of a claim."""
        return f"{'their' if self.is_inbound else 'our'} message of {self.at:%Y-%m-%d}"


@dataclass(frozen=True)
class Text:
    """A canned reply.

    Attributes:
        filled: how it reads for the lead.
        own: what of it stands there for everybody.
        sayable: what may go out without a person: as filled, if nothing was put in but plain names.
    """

    name: str
    filled: str
    own: str
    sayable: str


@dataclass(frozen=True)
class Known:
    """All that is known where a model is asked.

    Attributes:
        said: the messages, the oldest first.
        people: names of colleagues who have to do with the lead.
        now: in the tenant's time zone.
        is_internal: nobody outside reads the answer.
    """

    lead: Lead
    conversation: Conversation | None
    said: list[Said]
    texts: list[Text]
    notes: list[Cleaned]
    people: list[str]
    own_domains: frozenset[str]
    tenant_name: str
    now: datetime
    is_internal: bool = False

    @property
    def marks(self) -> frozenset[Mark]:
        """What is odd about anything that others wrote."""
        theirs = [each.cleaned for each in self.said if each.is_inbound]
        fields = [clean_inbound(text) for _name, text in self._fields()]
        read = (*theirs, *fields, *self.notes)
        return frozenset(mark for each in read for mark in each.marks)

    @property
    def is_first_contact(self) -> bool:
        """Whether nobody of the team has written here, as far as is read."""
        return not any(each.is_vouched for each in self.said)

    @property
    def last_said(self) -> Said | None:
        """What the lead wrote last."""
        return next((each for each in reversed(self.said) if each.is_inbound), None)

    def as_data(self) -> dict[str, Any]:
        """What stands in the prompt, as JSON between fences."""
        return {
            "today": f"{self.now:%A %Y-%m-%d}",
            "team": self.tenant_name,
            "colleagues": self.people,
            "customer": dict(self._shown_fields()),
            "usual_texts": [{"name": text.name, "text": text.filled} for text in self.texts],
            "notes": [note.text for note in self.notes],
            "messages": [
                {
                    "from": THEM if each.is_inbound else US,
                    "on": f"{each.at:%Y-%m-%d %H:%M}",
                    "text": each.cleaned.text,
                }
                for each in self.said
            ],
        }

    @cached_property
    def facts(self) -> Facts:
        """What an answer may say, and who says so."""
        return Facts(list(self._facts()), self.now.date(), self.own_domains)

    @cached_property
    def own_sentences(self) -> frozenset[str]:
        """What the team says in so many words: in its canned replies, and to this lead."""
        texts = [*(text.sayable for text in self.texts), *(each.own for each in self.said)]
        sentences = (part.text for text in texts for part in sentences_of(text))
        # Without what was put in, it is no sentence that anybody has written.
        return frozenset(bare(sentence) for sentence in sentences if BLANK not in sentence)

    def is_salutation(self, sentence: str) -> bool:
        """Whether it only greets the lead by their name, or ends a letter."""
        if CLOSING.match(sentence.strip()):
            return True
        begins = SALUTATION.match(sentence.strip())
        names = set(WORD.findall(self.lead.name.casefold()))
        if begins is None:
            return False
        return set(WORD.findall(begins["rest"].casefold())) <= names | TITLES

    @property
    def sources(self) -> Iterator[tuple[str, str]]:
        """Name and text of everything that a quote may come from."""
        yield from self._shown_fields()
        for each in self.said:
            yield each.label, each.cleaned.text
        for number, note in enumerate(self.notes, start=1):
            yield f"note {number}", note.text

    def _facts(self) -> Iterator[Fact]:
        today = self.now.date()
        yield Fact(self.tenant_name, "team", is_ours=True, written=today)
        for name in self.people:
            yield Fact(name, "colleague", is_ours=True)
        for name, text in self._shown_fields():
            yield Fact(text, name, is_ours=is_bare_name(text, today))
        for template in self.texts:
            yield Fact(template.own, f"text “{template.name}”", is_ours=True, written=today)
        for each in self.said:
            yield from _facts_in(each)
        for note in self.notes:
            yield Fact(note.text, "note", is_ours=False)

    def _shown_fields(self) -> Iterator[tuple[str, str]]:
        for name, text in self._fields():
            if shown := clean_inbound(text, LONGEST_FIELD).text:
                yield name, shown

    def _fields(self) -> Iterator[tuple[str, str]]:
        lead = self.lead
        yield "name", lead.name
        yield "company", lead.company
        yield "job", lead.title
        if not self.is_internal:
            # What we think of them, and what we hope to earn, is in no letter to them.
            return
        yield "stage", lead.stage.name
        yield "source", lead.source
        yield "tags", ", ".join(lead.tags)
        if lead.value is not None:
            yield "value of the deal", f"{lead.value} {lead.currency}"
        for name, value in lead.custom_fields.items():
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                yield clean_inbound(name, 60).text, str(value)


def bare(sentence: str) -> str:
    """A sentence as it is compared with another one: blanks, case and its end do not count."""
    return " ".join(sentence.casefold().split()).rstrip(".!… ")


def facts_of(
    lead: Lead,
    conversation: Conversation | None = None,
    *,
    is_internal: bool = False,
    untold: Collection[UUID] = (),
) -> Known:
    """What is known about a lead, for one conversation or for all of them.

    Args:
        is_internal: what is written stays in the house, so what the team thinks of the lead is told
            too, and no canned replies.
        untold: conversations of which nothing is told.

    Raises:
        Lead.DoesNotExist: the current tenant has no such lead.
    """
    lead = Lead.objects.select_related("stage", "owner").get(pk=lead.pk)
    zone = ZoneInfo(current_tenant().time_zone)
    return Known(
        lead=lead,
        conversation=conversation,
        said=_said(messages_for(lead, conversation, untold), lead, zone),
        texts=[] if is_internal else list(_texts(lead, conversation)),
        notes=_notes(lead) if is_internal else [],
        people=_people(lead, conversation),
        own_domains=_own_domains(),
        tenant_name=current_tenant().name,
        now=timezone.now().astimezone(zone),
        is_internal=is_internal,
    )


def messages_for(
    lead: Lead, conversation: Conversation | None, untold: Collection[UUID] = ()
) -> QuerySet[Message]:
    """What was said with a lead, the newest first: by people, or in the team's name."""
    rows: QuerySet[Message] = Message.objects.filter(lead=lead, automatic=Automatic.NO)
    rows = rows.exclude(conversation__in=untold)
    if conversation:
        rows = rows.filter(conversation=conversation)
    shown = rows.filter(status__in=[MessageStatus.RECEIVED, *REACHED])
    return shown.order_by("-created_at", "-id")


def _facts_in(said: Said) -> Iterator[Fact]:
    """What a message says: what the lead gave for it is theirs, though we have sent it."""
    written = said.at.date()
    if said.own:
        yield Fact(said.own, said.label, is_ours=True, written=written)
    if not said.own or said.own != said.cleaned.text:
        yield Fact(said.cleaned.text, said.label, is_ours=False, written=written)


def _said(messages: QuerySet[Message], lead: Lead, zone: ZoneInfo) -> list[Said]:
    given = given_by(lead, timezone.now().astimezone(zone).date())
    rows = messages.only(
        "id", "direction", "author_id", "template_id", "details", "created_at", "body"
    )
    found: list[Said] = []
    left = MOST_CHARACTERS
    for message in rows[:MOST_MESSAGES]:
        each = _as_said(message, zone, given)
        left -= len(each.cleaned.text)
        if found and left < 0:
            break
        found.append(each)
    return found[::-1]


def _as_said(message: Message, zone: ZoneInfo, given: Sequence[str]) -> Said:
    is_inbound = message.direction == Direction.INBOUND
    is_echo = bool(message.details.get("echo"))
    is_vouched = bool(message.author_id or message.template_id or is_echo)
    # Looked for as it was put in: cleaning may change it, or break off within it.
    own = without(message.body, given) if is_vouched and not is_inbound else ""
    return Said(
        message_id=message.pk,
        is_inbound=is_inbound,
        is_vouched=is_vouched,
        at=message.created_at.astimezone(zone),
        cleaned=clean_inbound(message.body),
        own=clean_inbound(own).text,
    )


def _texts(lead: Lead, conversation: Conversation | None) -> Iterator[Text]:
    """The canned replies that are complete for the lead, in the team's order."""
    channel = conversation.channel if conversation else Channel.EMAIL
    for template in templates_for(channel).filter(vendor_name="")[:MOST_TEXTS]:
        try:
            _subject, filled = fill_template(template, lead)
        except ValidationError:
            continue
        if not filled.missing:
            own, whole = _own(filled)[:LONGEST_TEXT], filled.text[:LONGEST_TEXT]
            yield Text(template.name, whole, own, whole if _is_plain(filled) else own)


def _is_plain(filled: Filled) -> bool:
    put_in = (piece.text for piece in filled.pieces if piece.origin == Origin.VALUE)
    return all(PLAIN_NAME.fullmatch(value) for value in put_in)


def _own(filled: Filled) -> str:
    """What the team wrote, without what was put in: a lead may be called “90 % off”."""
    pieces = (piece.text if piece.origin == Origin.TEXT else BLANK for piece in filled.pieces)
    return "".join(pieces)


def _notes(lead: Lead) -> list[Cleaned]:
    """What colleagues wrote down; captured mails are among it, so it is read as theirs."""
    rows = Note.objects.filter(lead=lead).order_by("-created_at").values_list("body", flat=True)
    return [clean_inbound(body, LONGEST_NOTE) for body in rows[:MOST_NOTES]]


def _people(lead: Lead, conversation: Conversation | None) -> list[str]:
    assignee: User | None = conversation.assignee if conversation else None
    return list(dict.fromkeys(user.name for user in (assignee, lead.owner) if user and user.name))


def _own_domains() -> frozenset[str]:
    """The domains of the team's mailboxes, without those that everybody writes from."""
    addresses: Iterable[str] = Account.objects.filter(
        channel=Channel.EMAIL, is_active=True
    ).values_list("address", flat=True)
    domains = {address.rpartition("@")[2].casefold() for address in addresses if "@" in address}
    return frozenset(domain for domain in domains if not _is_free(domain))


def _is_free(domain: str) -> bool:
    return domain in FREE_MAIL_DOMAINS or domain.partition(".")[0] in FREE_MAIL_PROVIDERS
