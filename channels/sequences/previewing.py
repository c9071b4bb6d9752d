"""What a sequence would do: for one lead as a timeline, for many as numbers.

By the engine's own judgement, on facts as they are now. Nothing is written, and nothing is held.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language

from channels.models import Account
from channels.sequences.deciding import PlannedStep, plan, plan_on
from channels.sequences.enrolling import How, new_enrolment
from channels.sequences.facts import facts_of, state_of
from channels.sequences.models import Enrolment, Execution, Version
from channels.sequences.refusing import Refusal, refusals_of
from channels.sequences.versions import Published, published, read_version
from channels.sequences.words import decision_in_words
from channels.templating import Malformed
from leads.models import Lead
from salesflow.accounts.models import User


class Unpreviewable(Exception):
    """The steps cannot be followed; `reason` says why."""

    def __init__(self, reason: str | Promise) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Survey:
    """What would come of taking some leads in.

    Attributes:
        looked_at: how many leads.
        starting: how many of them would come in.
        refused_leads: why the others would not, by the lead's id.
        obstacles: what would stop some of those who come in on their way, and how many each; a
            lead that has several counts with each.
    """

    looked_at: int
    starting: int
    refused_leads: dict[UUID, Refusal] = field(default_factory=dict)
    obstacles: dict[str, int] = field(default_factory=dict)

    @property
    def refused(self) -> dict[Refusal, int]:
        """How many would not come in, by the reason, the commonest first."""
        return dict(Counter(self.refused_leads.values()).most_common())


def preview(
    version: Version, lead: Lead, *, sender: User | None = None, at: datetime | None = None
) -> list[PlannedStep]:
    """What would happen to a lead who came in now; of a draft, too.

    Raises:
        Unpreviewable: a text cannot be read, or a step has nothing to send.
    """
    now = at or timezone.now()
    read = _read(version)
    row = new_enrolment(lead, version, read.plan, now, sender=sender)
    return _planned([row], read, now)[0]


def what_is_to_come(row: Enrolment, *, at: datetime | None = None) -> list[PlannedStep]:
    """What is still to come for somebody under way.

    Raises:
        Unpreviewable: a text cannot be read, or a step has nothing to send.
    """
    now = at or timezone.now()
    done = list(Execution.objects.filter(enrolment=row).order_by("pk"))
    read = published(row.version_id)
    facts = facts_of([row], now)[row.pk]
    with _readable():
        return plan_on(read.plan, state_of(row, done), facts, now, language=_language())


def survey(
    leads: Sequence[Lead],
    version: Version,
    *,
    sender: User | None = None,
    account: Account | None = None,
    at: datetime | None = None,
) -> Survey:
    """What would come of taking these leads in, in a constant number of queries.

    Args:
        leads: with their contact points and owners.
    """
    now = at or timezone.now()
    read = _read(version)
    refused = refusals_of(leads, version.sequence, read, now)
    starting = [lead for lead in leads if lead.pk not in refused]
    how: How = {"sender": sender, "account": account}
    rows = [new_enrolment(lead, version, read.plan, now, **how) for lead in starting]
    found: Counter[str] = Counter()
    for steps in _planned(rows, read, now):
        problems = (decision_in_words(each) for step in steps for each in step.problems)
        found.update({*filter(None, problems)})
    return Survey(
        looked_at=len(leads),
        starting=len(starting),
        refused_leads=refused,
        obstacles=dict(found.most_common()),
    )


def _read(version: Version) -> Published:
    # A draft is not kept: it is read here, and once.
    return published(version.pk) if version.published_at else read_version(version)


def _planned(rows: Sequence[Enrolment], read: Published, now: datetime) -> list[list[PlannedStep]]:
    facts = facts_of(rows, now, published={read.plan.id: read}) if rows else {}
    with _readable():
        return [
            plan(
                read.plan,
                facts[row.pk],
                now,
                # An enrolment that is not there yet has no id that stays: the lead's decides on
                # the variants.
                enrolment_id=row.lead_id,
                language=_language(),
            )
            for row in rows
        ]


@contextmanager
def _readable() -> Iterator[None]:
    """Tell what cannot be followed."""
    try:
        yield
    except Malformed as malformed:
        raise Unpreviewable(malformed.reason) from None
    except (ValueError, KeyError) as error:
        raise Unpreviewable(str(error)) from None


def _language() -> str:
    return (get_language() or "en").partition("-")[0]
