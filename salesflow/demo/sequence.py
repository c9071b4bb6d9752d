"""A sequence that runs: newcomers can watch its steps being executed, by the sandbox."""

from collections.abc import Sequence

from channels.models import LawfulBasis
from channels.sequences.conditions import Operator
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
from channels.sequences.enrolling import Source, enrol_leads
from channels.sequences.models import Sequence as SequenceRow
from channels.sequences.publishing import publish_version
from channels.sequences.versions import create_sequence
from channels.services.consent import opt_in
from leads.models import Lead, Outcome
from salesflow.accounts.models import User

NAME = "First contact"
# So many of the newest open leads are in it.
LEADS = 12

HELLO = """Hello {{ first_name|there }},

thank you for your interest in a solar plant for {{ company|your company }}. What would help us \
most: how large is the roof, and how much power do you use in a year?

Kind regards
{{ sender_name }}"""
SHORT = """Hello {{ first_name|there }},

would ten minutes on the phone this week suit you? Then I can tell you what a solar plant for \
{{ company|your company }} would cost and bring in.

Kind regards
{{ sender_name }}"""
AGAIN = """Hello {{ first_name|there }},

did my mail reach you? A photo of the roof is enough for a first estimate.

Kind regards
{{ sender_name }}"""


def document() -> Document:
    """Two mails, a call to those who decide, and a last mail."""
    bosses = Says(name="title", operator=Operator.CONTAINS, value="CEO")
    call = TaskStep(title="Call {{ name }}", body="They decide themselves.", task_kind="call")
    return Document(
        steps=(
            MessageStep(
                variants=(
                    Variant(label="A", subject="Solar power for you", body=HELLO),
                    Variant(label="B", subject="Ten minutes this week?", body=SHORT),
                )
            ),
            WaitStep(wait=Wait(amount=3)),
            BranchStep(condition=bosses, then=Way(steps=(call,)), otherwise=Way()),
            MessageStep(variants=(Variant(body=AGAIN),)),
        )
    )


def load_sequence(team: Sequence[User]) -> SequenceRow:
    """Publish it in the current tenant, and take the newest open leads in.

    Args:
        team: the first of them owns it.
    """
    sequence = create_sequence(NAME, owner=team[0], document=document())
    publish_version(sequence, actor=team[0])
    sequence.refresh_from_db()
    newest = Lead.objects.filter(outcome=Outcome.OPEN).order_by("-created_at", "-id")
    leads = list(newest.prefetch_related("contact_points")[:LEADS])
    for lead in leads:
        for address in lead.emails[:1]:
            basis = LawfulBasis.LEGITIMATE_INTEREST
            opt_in(lead, channel="email", address=address, basis=basis, source="manual")
    enrol_leads(leads, sequence, source=Source.BULK, actor=team[0])
    return sequence
