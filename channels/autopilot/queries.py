"""What the pages and the API of the autopilot read; every query is of the current tenant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.autopilot.differences import Marked, Piece, differences, marked
from channels.autopilot.gates import FLAGS, Flag
from channels.autopilot.models import ActionType, Draft, Run
from channels.autopilot.outcomes import Outcome
from channels.autopilot.outdating import Flaw, why_outdated
from channels.autopilot.policies import Rule, rule_of, rules_of
from channels.models import Channel, Conversation
from leads.models import Lead
from salesflow.accounts.models import User
from salesflow.accounts.paging import Order, Page

PAGE_SIZE = 30
# What waits longest first.
LONGEST_WAIT = Order(("created_at", "id"))
NEWEST = Order(("id",), descending=True)
MOST_ON_THEIR_WAY, MOST_COUNTED = 20, 99
# Among which plain drafts are looked for that may be approved as they stand.
MOST_LOOKED_AT = 200
BAD_FLAGS = frozenset({Flag.INSTRUCTS, Flag.CUT, Flag.PROMISE})
# Of a message or a run, what no list shows.
LONG_MESSAGE = ("based_on__html", "based_on__quoted", "based_on__references", "based_on__details")
LONG_RUN = ("messages", "output", "result", "report", "prices")

OUTCOMES: dict[str, str | Promise] = {
    Outcome.DRAFTED: _("drafted"),
    Outcome.PROPOSED: _("proposed"),
    Outcome.QUALIFIED: _("qualified"),
    Outcome.SUMMARISED: _("summarised"),
    Outcome.EXTRACTED: _("people found"),
    Outcome.ANSWERED: _("answered"),
    Outcome.NOTHING_GROUNDED: _("nothing that anybody has said"),
    Outcome.REFUSED: _("refused"),
    Outcome.EMPTY: _("no answer"),
    Outcome.INVALID: _("not in the form asked for"),
    Outcome.TRUNCATED: _("too long an answer"),
    Outcome.CUT: _("broken off"),
    Outcome.TOO_LONG: _("too long a question"),
    Outcome.TIMEOUT: _("took too long"),
    Outcome.RATE_LIMITED: _("asked too often"),
    Outcome.UNAVAILABLE: _("not reached"),
    Outcome.UNAUTHORIZED: _("key refused"),
    Outcome.BUDGET: _("over the budget"),
    Outcome.OFF: _("switched off"),
    Outcome.SUPERSEDED: _("not needed any more"),
    Outcome.FAILED: _("failed"),
}
OUTCOME_CHOICES = [(outcome.value, outcome.value) for outcome in Outcome]


@dataclass(frozen=True)
class Badge:
    """A flag as it is shown."""

    label: str | Promise
    tone: str


@dataclass(frozen=True)
class Reading:
    """A draft as a person reads it.

    Attributes:
        pieces: the text, each claim with its source.
        changes: what somebody changed in it; empty where nobody did.
        cut: the sentences that were taken out.
        closed: why it did not go out by itself, gate by gate.
        footer: what the account writes below it.
        flaw: why it may not go out as things are now.
    """

    draft: Draft
    rule: Rule
    pieces: Sequence[Marked]
    changes: Sequence[Piece]
    cut: Sequence[str]
    badges: Sequence[Badge]
    closed: Sequence[str]
    footer: str
    flaw: Flaw | None

    @property
    def is_own(self) -> bool:
        """Whether somebody has saved the text in the editor."""
        return self.draft.edited_by_id is not None

    @property
    def is_open(self) -> bool:
        """Whether it is to be decided."""
        return bool(self.draft.state == Draft.State.PENDING)

    @property
    def needs_editor(self) -> bool:
        """Whether nobody can approve it before they have saved it in the editor."""
        return not self.is_own and (self.rule.mode == "draft" or Flag.INSTRUCTS in self.draft.flags)


def drafts() -> QuerySet[Draft]:
    """The drafts with what a row and a page say of them."""
    rows: QuerySet[Draft] = Draft.objects.select_related(
        "lead", "conversation__account", "account", "based_on", "decided_by", "edited_by"
    )
    return rows.defer(*LONG_MESSAGE)


def draft_called(draft_id: UUID) -> Draft | None:
    """One draft with all that its page says of it; None: the tenant has no such draft."""
    rows = drafts().select_related("run").defer("run__messages", "run__output")
    found: Draft | None = rows.filter(pk=draft_id).first()
    return found


def waiting(channel: str = "") -> QuerySet[Draft]:
    """The drafts that somebody has to decide about."""
    rows = drafts().filter(state=Draft.State.PENDING)
    return rows.filter(conversation__channel=channel) if channel in Channel.values else rows


def page_of_waiting(channel: str = "", **keys: str) -> Page[Draft]:
    """A page of them, what waits longest first."""
    return Page.read_or_first(waiting(channel), LONGEST_WAIT, size=PAGE_SIZE, **keys)


def on_their_way() -> list[Draft]:
    """What was approved and can still be stopped, the next to go first."""
    rows = drafts().filter(state=Draft.State.APPROVED).order_by("send_after", "id")
    return list(rows[:MOST_ON_THEIR_WAY])


def last_approved_by(user: User, rows: Iterable[Draft]) -> Draft | None:
    """Of drafts on their way, the one that somebody has approved last; None: they have approved
    none of them."""
    own = (draft for draft in rows if draft.decided_by_id == user.pk and draft.decided_at)
    return max(own, key=attrgetter("decided_at"), default=None)


def next_waiting(after: Draft | None = None, channel: str = "") -> Draft | None:
    """The draft below one in the queue, else the first one; None: nothing waits."""
    rows = LONGEST_WAIT.apply(waiting(channel))
    if after:
        rows = rows.exclude(pk=after.pk)
        below = rows.filter(created_at__gte=after.created_at).first()
        return below or rows.first()
    first: Draft | None = rows.first()
    return first


def count_waiting() -> str:
    """How many wait, “99+” if there are more; it looks at no more than that."""
    rows = Draft.objects.filter(state=Draft.State.PENDING)
    count = rows[: MOST_COUNTED + 1].count()
    return f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count)


def badges_of(draft: Draft) -> list[Badge]:
    """What a person should know of it, in words."""
    return [
        Badge(FLAGS.get(flag, flag), "bad" if flag in BAD_FLAGS else "warn") for flag in draft.flags
    ]


def read_draft(draft: Draft) -> Reading:
    """All that a draft's page says of it."""
    flaw = why_outdated(draft) if draft.state == Draft.State.PENDING else None
    return _reading(draft, rule_of(draft.conversation), flaw)


def plain_readings(most: int) -> list[Reading]:
    """Waiting drafts without a flag that may be approved as they stand, what waits longest first.

    Whether something has overtaken them is asked when they are approved.
    """
    rows = waiting().filter(flags=[]).select_related("run").defer("run__messages", "run__output")
    found = list(LONGEST_WAIT.apply(rows)[:MOST_LOOKED_AT])
    rules = rules_of([draft.conversation for draft in found])
    read = (_reading(draft, rules[draft.conversation_id], None) for draft in found)
    return list(islice((each for each in read if each.rule.is_on and not each.needs_editor), most))


def _reading(draft: Draft, rule: Rule, flaw: Flaw | None) -> Reading:
    report: Mapping[str, Any] = draft.run.report
    gates = report.get("gates", [])
    is_changed = draft.body != draft.original_body
    return Reading(
        draft=draft,
        rule=rule,
        pieces=marked(draft.body, report.get("claims", [])),
        changes=differences(draft.original_body, draft.body) if is_changed else [],
        cut=report.get("cut", []),
        badges=badges_of(draft),
        closed=[gate["why"] for gate in gates if not gate["open"] and gate["gate"] != "mode"],
        footer=str(draft.account.settings.get("signature", "")) if draft.account else "",
        flaw=flaw,
    )


def runs() -> QuerySet[Run]:
    """The runs as a list shows them."""
    rows: QuerySet[Run] = Run.objects.select_related("lead", "asked_by")
    return rows.defer(*LONG_RUN)


def page_of_runs(action: str = "", outcome: str = "", **keys: str) -> Page[Run]:
    """A page of runs, the newest first."""
    wanted = {"action": action, "outcome": outcome}
    rows = runs().filter(**{name: value for name, value in wanted.items() if value})
    return Page.read_or_first(rows, NEWEST, size=PAGE_SIZE, **keys)


def outcome_in_words(run: Run) -> str | Promise:
    """How it ended; or how far it is."""
    return OUTCOMES.get(run.outcome, run.outcome) or Run.State(run.state).label


def last_runs_of(lead: Lead) -> dict[str, Run]:
    """By action, the last run about a lead; of drafts none: those have a page."""
    found: dict[str, Run] = {}
    rows = Run.objects.filter(lead=lead).exclude(action=ActionType.DRAFT).order_by("-id")
    for run in rows.defer("messages", "output")[:40]:
        found.setdefault(run.action, run)
    return found


def open_draft_of(conversation: Conversation) -> Draft | None:
    """What is to be decided, or on its way, in a conversation."""
    states = [Draft.State.PENDING, Draft.State.APPROVED]
    found: Draft | None = Draft.objects.filter(conversation=conversation, state__in=states).first()
    return found
