"""A past for the demo's sequence, so that its figures have something to show."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random

from django.utils import timezone

from channels.models import LawfulBasis
from channels.sequences.decisions import Ending
from channels.sequences.documents import MessageStep, walk
from channels.sequences.enrolling import Source, enrol_leads, stop_enrolments
from channels.sequences.models import Enrolment, Execution, Sequence
from channels.sequences.versions import read_version
from channels.services.consent import opt_in
from leads.models import Lead, Outcome

# How likely a mail is delivered, tracked, then opened and clicked, and answered, by its text.
SHARES = {"A": (0.97, 0.6, 0.5, 0.1, 0.09), "B": (0.97, 0.6, 0.6, 0.15, 0.14)}
PEOPLE = 60


def write_history(sequence: Sequence) -> None:
    """Let people have got its mails three weeks ago, until some of them have answered."""
    then = timezone.now() - timedelta(days=21)
    leads = list(_writable_leads())
    enrolled = enrol_leads(leads, sequence, source=Source.BULK, at=then).enrolled
    done = list(_executions(sequence, enrolled, then))
    Execution.objects.bulk_create(done)
    answered = [each.enrolment_id for each in done if each.replied_at]
    stop_enrolments(answered, Ending.REPLIED, at=then + timedelta(days=1))


def _writable_leads() -> Iterator[Lead]:
    rows = Lead.objects.filter(outcome=Outcome.OPEN, contact_points__kind="email")
    for lead in rows.distinct().order_by("id").prefetch_related("contact_points")[:PEOPLE]:
        basis = LawfulBasis.LEGITIMATE_INTEREST
        opt_in(lead, channel="email", address=lead.emails[0], basis=basis, source="manual")
        yield lead


def _executions(
    sequence: Sequence, enrolled: Iterable[Enrolment], then: datetime
) -> Iterator[Execution]:
    assert sequence.published
    steps = enumerate(walk(read_version(sequence.published).document.steps), start=1)
    mails = [(number, step) for number, step in steps if isinstance(step, MessageStep)]
    random = Random(7)
    for enrolment in enrolled:
        for number, step in mails:
            label = random.choice(step.variants).label
            delivered, tracked, opened, clicked, replied = (
                random.random() < share for share in SHARES[label]
            )
            yield Execution(
                tenant=sequence.tenant,
                enrolment=enrolment,
                sequence=sequence,
                version=1,
                step=step.key,
                number=number,
                kind=step.kind,
                channel=step.channel,
                variant=label,
                outcome=Execution.Outcome.QUEUED,
                executed_at=then,
                sent_at=then,
                delivered_at=then if delivered else None,
                tracked_at=then if tracked else None,
                opened_at=then if tracked and opened else None,
                clicked_at=then if tracked and opened and clicked else None,
                replied_at=then if replied else None,
            )
            if replied:
                break
