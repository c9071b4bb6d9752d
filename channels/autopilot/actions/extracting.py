"""Finding further people in what a lead wrote: colleagues, whom they recommend, who signs.

Every value stands in the message word for word, or it is dropped; addresses and numbers are read by
the same rules as everywhere. Nobody becomes a lead before a person says so.
"""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from pydantic import BaseModel

from channels.autopilot.actions import Prompt, register_action
from channels.autopilot.asking import first_line, gives_itself_away, prompt_of, untold
from channels.autopilot.cleaning import clean_inbound
from channels.autopilot.completions import Completion
from channels.autopilot.facts import messages_for
from channels.autopilot.grounding import is_quoted
from channels.autopilot.models import ActionType, Run
from channels.autopilot.outcomes import Ended, Outcome
from channels.autopilot.policies import rule_of_tenant
from channels.models import Conversation, Direction
from leads.contact_points import Kind, normalise
from leads.models import ContactPoint, Lead
from leads.services import create_lead

MOST_PEOPLE, LONGEST_VALUE = 10, 200
LONGEST_ANSWER = 900
# Of a message, what is answered below it included: signatures stand there.
LONGEST_SOURCE = 8_000
SOURCE = "autopilot"
FIELDS = ("name", "company", "title", "email", "phone")


class Person(BaseModel):
    """Somebody, as the message tells of them."""

    name: str
    company: str
    title: str
    email: str
    phone: str


class People(BaseModel):
    """What the model answers."""

    people: list[Person]


class Extracting:
    """Finds people in what a lead wrote last."""

    def build(self, run: Run) -> Prompt:
        """The message.

        Raises:
            Ended: there is none.
        """
        data = {"message": _source(run)}
        return prompt_of(run, "extract", data, schema=People, max_tokens=LONGEST_ANSWER)

    def apply(self, run: Run, completion: Completion) -> Outcome:
        """Keep the people whom the message names.

        Raises:
            Ended: the message is gone.
        """
        source = _source(run)
        answer = completion.parsed
        assert isinstance(answer, People)
        if gives_itself_away(run, completion):
            run.report = {"refused": "leak"}
            return Outcome.REFUSED
        people = list(_held(answer.people, source))
        run.result = {"people": people}
        run.report = {"dropped": len(answer.people) - len(people)}
        return Outcome.EXTRACTED if people else Outcome.NOTHING_GROUNDED


@transaction.atomic
def adopt_person(run: Run, number: int) -> Lead:
    """Make a lead of somebody whom a run has found; asked for twice, it is made once.

    Args:
        number: the place in `result["people"]`, from 0.

    Raises:
        ValidationError: there is nobody there, or another lead has their address or number.
    """
    run = Run.objects.select_for_update(no_key=True).get(pk=run.pk)
    people = run.result.get("people", [])
    if not 0 <= number < len(people):
        raise ValidationError(_("There is no such person."))
    person = people[number]
    if known := Lead.objects.filter(pk=person.get("lead") or None).first():
        found: Lead = known
        return found
    lead = create_lead(
        name=person["name"],
        company=person["company"],
        title=person["title"],
        emails=[person["email"]] if person["email"] else [],
        phones=[person["phone"]] if person["phone"] else [],
        source=SOURCE,
    )
    person["lead"] = str(lead.pk)
    run.save(update_fields=["result"])
    return lead


def _source(run: Run) -> str:
    """What the lead wrote last, in the conversation or anywhere, with what it quotes."""
    lead = Lead.objects.filter(pk=run.lead_id).first()
    if lead is None:
        raise Ended(Outcome.SUPERSEDED, _("The lead is gone."))
    if rule_of_tenant().actions.is_held:
        raise Ended(Outcome.OFF, _("The autopilot is held."))
    conversation = Conversation.objects.filter(pk=run.conversation_id).first()
    rows = messages_for(lead, conversation, untold(run)).filter(direction=Direction.INBOUND)
    message = rows.only("subject", "body", "quoted").first()
    if message is None:
        raise Ended(Outcome.SUPERSEDED, _("There is no message."))
    whole = "\n\n".join((message.subject, message.body, message.quoted))
    return clean_inbound(whole, LONGEST_SOURCE).text


def _held(people: list[Person], source: str) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for person in people[:MOST_PEOPLE]:
        row = {name: _quoted(getattr(person, name), source) for name in FIELDS}
        row["email"] = _normal(Kind.EMAIL, row["email"])
        row["phone"] = _normal(Kind.PHONE, row["phone"])
        key = row["email"] or row["name"].casefold()
        if row["name"] and key not in seen and not _is_known(row):
            seen.add(key)
            yield row


def _quoted(value: str, source: str) -> str:
    """The value if it stands in the source as it is; else nothing."""
    bare = first_line(value, LONGEST_VALUE)
    return bare if bare and is_quoted(bare, source, source) else ""


def _normal(kind: Kind, value: str) -> str:
    try:
        return next(iter(normalise(kind, [value])), "") if value else ""
    except ValidationError:
        return ""


def _is_known(row: dict[str, str]) -> bool:
    """Whether a lead has the address or number already."""
    values = [value for value in (row["email"], row["phone"]) if value]
    found: bool = bool(values) and ContactPoint.objects.filter(value__in=values).exists()
    return found


register_action(ActionType.EXTRACT, Extracting())
