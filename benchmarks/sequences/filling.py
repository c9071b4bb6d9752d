"""People in a sequence, all of them due: six of ten write a mail, two begin a wait, one comes to a
branch and one gives somebody a task."""

from datetime import datetime
from itertools import cycle

from django.core.management import call_command

from channels.models import AddressStanding, LawfulBasis
from channels.sequences.documents import (
    BranchStep,
    Document,
    MessageStep,
    Says,
    TaskStep,
    Variant,
    Wait,
    WaitStep,
    Way,
)
from channels.sequences.enrolling import enrol_leads
from channels.sequences.models import Enrolment, Sequence, WorkCalendar
from channels.sequences.publishing import publish_version
from channels.sequences.versions import create_sequence, published
from leads.models import ContactPoint, Lead
from leads.queries import default_pipeline
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Membership, Tenant
from salesflow.accounts.services import add_member, create_tenant, create_user

TEXT = """Hello {{ first_name }},

at {{ company|your company }} you may have come across this before: what is due is not always what
is done. Shall we talk about it on Thursday?

{{ sender_name }}"""
# Kinds of steps, as often as people stand before them.
MIX = (*["message"] * 6, *["wait"] * 2, "branch", "task")
WEEK = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
ENROLLED_AT_ONCE = 500


def prepare() -> Tenant:
    """A database with a team that works around the clock."""
    call_command("migrate", verbosity=0, interactive=False)
    tenant = create_tenant("bench", name="Bench")
    user = create_user("rep@example.com", "secret-password", name="Grace Hopper")
    add_member(tenant, user, Membership.Role.REP)
    with tenant_context(tenant):
        WorkCalendar.objects.update(hours=WEEK, country="")
    return tenant


def fill(people: int, at: datetime, cap: int | None = None) -> Sequence:
    """A sequence with so many people in it, who are due at `at`.

    Args:
        cap: messages a day.
    """
    sequence = create_sequence(f"Cap {cap}", document=_document(cap))
    publish_version(sequence)
    sequence.refresh_from_db()
    sender = Membership.objects.select_related("user")[0].user
    leads = _make_leads(people, f"cap{cap}")
    for start in range(0, people, ENROLLED_AT_ONCE):
        chosen = leads[start : start + ENROLLED_AT_ONCE]
        enrol_leads(chosen, sequence, source="bulk", sender=sender, at=at)
    _spread(sequence)
    return sequence


def _document(cap: int | None) -> Document:
    mails = [
        MessageStep(variants=(Variant(label="A", subject="Hi", body=TEXT),)),
        MessageStep(variants=(Variant(label="B", subject="Hi again", body=TEXT),)),
    ]
    asks = Says(name="company", operator="known")
    return Document(
        steps=(
            mails[0],
            WaitStep(wait=Wait(amount=2)),
            TaskStep(title="Call {{ first_name }}"),
            BranchStep(
                condition=asks, then=Way(steps=(WaitStep(wait=Wait(amount=1)),)), otherwise=Way()
            ),
            mails[1],
        ),
        account_cap=cap,
        gap=0,
    )


def _spread(sequence: Sequence) -> None:
    assert sequence.published_id
    steps = published(sequence.published_id).plan.steps
    first = {step.kind.value: step.key for step in reversed(steps)}
    rows = list(Enrolment.objects.filter(sequence=sequence).order_by("pk"))
    for row, kind in zip(rows, cycle(MIX), strict=False):
        row.step = first[kind]
    Enrolment.objects.bulk_update(rows, ["step"], batch_size=ENROLLED_AT_ONCE)


def _make_leads(people: int, host: str) -> list[Lead]:
    stage = default_pipeline().stage_of_kind("open")
    assert stage
    leads = [
        Lead(name=f"Ada Number{n}", company=f"Company {n}", stage=stage) for n in range(people)
    ]
    Lead.objects.bulk_create(leads)
    addresses = [f"person{n}@{host}-{n}.example.com" for n in range(people)]
    ContactPoint.objects.bulk_create(
        ContactPoint(lead=lead, kind="email", value=address, is_primary=True)
        for lead, address in zip(leads, addresses, strict=True)
    )
    # One of three has a phone, whose country is looked up.
    first = ContactPoint.objects.filter(kind="phone").count()
    ContactPoint.objects.bulk_create(
        ContactPoint(lead=lead, kind="phone", value=f"+4930{first + n:07}", is_primary=True)
        for n, lead in enumerate(leads)
        if n % 3 == 0
    )
    AddressStanding.objects.bulk_create(
        AddressStanding(channel="email", address=address, basis=LawfulBasis.LEGITIMATE_INTEREST)
        for address in addresses
    )
    return leads
