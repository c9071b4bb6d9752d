"""Sequences that are published, and leads in them; all of the current tenant."""

from itertools import count
from typing import Any
from uuid import UUID

from django.utils import timezone

from channels.models import LawfulBasis, Message
from channels.sequences.documents import (
    BranchStep,
    Did,
    Document,
    LinkedInStep,
    MessageStep,
    Says,
    Step,
    TaskStep,
    Variant,
    Wait,
    WaitStep,
    Way,
)
from channels.sequences.enrolling import enrol_leads
from channels.sequences.models import Enrolment, Execution, Sequence
from channels.sequences.publishing import publish_version
from channels.sequences.versions import create_sequence, published
from channels.sequences.working_time import Unit
from channels.services.consent import opt_in
from channels.services.messages import receive_message
from leads.models import Lead
from leads.services import create_lead

_numbers = count(1)
HELLO = "Hello {{ first_name }}"


def mail(body: str = HELLO, subject: str = "Hi", **fields: Any) -> MessageStep:
    """A mail; without a subject it goes on in the thread."""
    return MessageStep(variants=(Variant(subject=subject, body=body),), **fields)


def linkedin(body: str = HELLO) -> LinkedInStep:
    return LinkedInStep(variants=(Variant(body=body),))


def days(amount: int) -> WaitStep:
    """A wait of working days."""
    return WaitStep(wait=Wait(amount=amount))


def hours(amount: int) -> WaitStep:
    """A wait of working hours."""
    return WaitStep(wait=Wait(amount=amount, unit=Unit.HOURS))


def task(title: str = "Call {{ first_name }}", **fields: Any) -> TaskStep:
    return TaskStep(title=title, **fields)


def branch(
    condition: Says | Did, then: list[Step], otherwise: list[Step], within: Wait | None = None
) -> BranchStep:
    """A branch of whose ways either comes back."""
    return BranchStep(
        condition=condition,
        within=within or Wait(amount=0),
        then=Way(steps=tuple(then)),
        otherwise=Way(steps=tuple(otherwise)),
    )


def make_sequence(*steps: Step, **settings: Any) -> Sequence:
    """A published sequence; without caps and gaps unless they are given."""
    given = {"account_cap": None, "gap": 0, **settings}
    sequence = create_sequence(
        f"Sequence {next(_numbers)}", document=Document(steps=steps, **given)
    )
    publish_version(sequence)
    sequence.refresh_from_db()
    return sequence


def make_contact(name: str = "Ada Lovelace", email: str = "", **fields: Any) -> Lead:
    """A lead who may be written to by mail."""
    address = email or f"contact{next(_numbers)}@example.com"
    lead = create_lead(name=name, emails=[address], **fields)
    allow(lead, "email", address)
    return lead


def allow(lead: Lead, channel: str, address: str) -> None:
    """Record that the lead may be written to."""
    basis = LawfulBasis.LEGITIMATE_INTEREST
    opt_in(lead, channel=channel, address=address, basis=basis, source="manual")


def enrol(sequence: Sequence, *leads: Lead, **how: Any) -> list[Enrolment]:
    """Take leads in, or a new one; all of them come in."""
    chosen = list(leads) or [make_contact()]
    report = enrol_leads(chosen, sequence, source="hand", at=timezone.now(), **how)
    assert not report.refused
    return report.enrolled


def enrol_one(sequence: Sequence, lead: Lead | None = None, **how: Any) -> Enrolment:
    """Take a lead in, or a new one."""
    [enrolment] = enrol(sequence, *([lead] if lead else []), **how)
    return enrolment


def reply(lead: Lead, **fields: Any) -> Message:
    """Something that a lead writes by mail."""
    given = {"channel": "email", "address": lead.emails[0], "body": "Yes, please", **fields}
    return receive_message(lead, **given)


def again(enrolment: Enrolment) -> Enrolment:
    """The enrolment as it is by now."""
    found: Enrolment = Enrolment.objects.get(pk=enrolment.pk)
    return found


def sent_to(enrolment: Enrolment) -> list[str]:
    """What went out to somebody, in order."""
    rows = Message.objects.filter(lead=enrolment.lead_id, direction="outbound")
    return list(
        rows.exclude(sent_at=None).order_by("created_at", "id").values_list("body", flat=True)
    )


def done_for(enrolment: Enrolment) -> list[tuple[int, str]]:
    """Number and outcome of what was executed, in order."""
    rows = Execution.objects.filter(enrolment=enrolment).order_by("executed_at", "id")
    return list(rows.values_list("number", "outcome"))


def keys_of(sequence: Sequence) -> list[UUID]:
    """The keys of its steps, as people see them from top to bottom."""
    assert sequence.published_id
    return [step.key for step in published(sequence.published_id).plan.steps]
