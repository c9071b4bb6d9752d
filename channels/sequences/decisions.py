"""What is asked before a step, and what can come of it: plain values, nothing that acts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from channels.sequences.calendars import Calendar
from channels.sequences.conditions import Signal
from channels.sequences.plans import (
    BranchStep,
    LinkedInStep,
    MessageStep,
    TaskStep,
    Template,
    Variant,
    WaitStep,
)
from channels.sequences.spreading import Place, Room
from channels.templating import Filled


class Ending(StrEnum):
    """Why somebody leaves a sequence."""

    REPLIED, INBOUND, MEETING = "replied", "inbound", "meeting"
    BOUNCED, OPTED_OUT = "bounced", "opted_out"
    WON, LOST, MERGED, LEAD_DELETED = "won", "lost", "merged", "lead_deleted"
    COMPANY_REPLIED = "company_replied"
    FINISHED, BY_HAND, FAILED = "finished", "by_hand", "failed"


class Delay(StrEnum):
    """Why a step that is due is executed later; it goes on by itself."""

    CLOSED, HELD = "closed", "held"
    ACCOUNT_STOPPED, ACCOUNT_DEAF = "account_stopped", "account_deaf"
    CAP = "cap"
    CONDITION = "condition"


class Obstacle(StrEnum):
    """Why a step cannot be executed until somebody changes something."""

    NEVER_OPENS = "never_opens"
    NO_ACCOUNT, NO_ADDRESS, NO_BASIS = "no_account", "no_address", "no_basis"
    MISSING = "missing"
    TEMPLATE, WINDOW = "template", "window"
    REFUSED, BROKEN = "refused", "broken"


class Standing(StrEnum):
    """Whether an address may be written to."""

    ALLOWED, NO_BASIS = "allowed", "no_basis"
    OPTED_OUT, BOUNCED = "opted_out", "bounced"


class AccountState(StrEnum):
    """Whether an account can write, and hear answers."""

    READY, STOPPED, DEAF, GONE = "ready", "stopped", "deaf", "gone"


class LeadState(StrEnum):
    """What became of a lead."""

    OPEN, WON, LOST = "open", "won", "lost"
    MERGED, DELETED = "merged", "deleted"


@dataclass(frozen=True)
class Answer:
    """Somebody wrote to us, and no program did.

    Attributes:
        at: when it was stored here: what was written before may arrive late.
        is_reply: whether it answers a message of the sequence.
    """

    at: datetime
    is_reply: bool = False


@dataclass(frozen=True)
class Reach:
    """How a lead is reached on one channel.

    Attributes:
        address: empty where none is known.
        says: why the account cannot be used now, in words.
        needs_template: whether free text may not go now.
        templates: those that the vendor has approved.
        room: None where nothing is counted.
    """

    address: str = ""
    standing: Standing = Standing.ALLOWED
    account: AccountState = AccountState.READY
    says: str = ""
    needs_template: bool = False
    templates: frozenset[Template] = frozenset()
    room: Room | None = None


@dataclass(frozen=True)
class State:
    """Where an enrolment is.

    Attributes:
        step: the key of the step that comes next; None: all are done.
        since: when the step before was settled; the enrolment, before the first one.
        executed: the keys of steps that were executed, and of the step after each: none is
            executed again.
        place: when this step may go, as it was drawn.
        left: of a branch's limit that was paused: the working time that was left at `since`.
    """

    enrolment_id: UUID
    step: UUID | None
    enrolled_at: datetime
    since: datetime
    executed: Mapping[UUID, UUID | None] = field(default_factory=dict)
    place: datetime | None = None
    left: timedelta | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of a lead and of whoever writes to it.

    Attributes:
        calendar: with the holidays of the contact's country.
        zone: the contact's.
        values: what templates say, by name of the variable.
        fields: what branches may ask beside them; a field may have several values.
        reaches: by channel; a channel that is not there has no address.
        signals: what they did, by key of the message's step.
        is_held: the sequence is paused, or everything of the tenant is.
        answered, company_answered: the latest one.
        opted_out_at, bounced_at: the latest time, on any channel.
        away_until: as their program answered.
    """

    calendar: Calendar
    zone: ZoneInfo
    values: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reaches: Mapping[str, Reach] = field(default_factory=dict)
    signals: Mapping[UUID, frozenset[Signal]] = field(default_factory=dict)
    lead: LeadState = LeadState.OPEN
    is_held: bool = False
    answered: Answer | None = None
    company_answered: Answer | None = None
    met_at: datetime | None = None
    opted_out_at: datetime | None = None
    bounced_at: datetime | None = None
    away_until: datetime | None = None


@dataclass(frozen=True)
class Finish:
    """It ends."""

    reason: Ending


@dataclass(frozen=True)
class Park:
    """Nothing happens as long as the sequence is held; the pointer stays."""


@dataclass(frozen=True)
class Pause:
    """They are away: look again at their first opening after it."""

    until: datetime


@dataclass(frozen=True)
class Pass:
    """The step was executed before: go on, and do not execute it again."""

    next: UUID | None


@dataclass(frozen=True)
class Later:
    """Not now.

    Attributes:
        says: more about it, in words.
        place: what was drawn, to be counted; None: nothing was.
        gives_back: a place that was given and is not used, to be counted off.
    """

    at: datetime
    why: Delay
    says: str = ""
    place: Place | None = None
    gives_back: datetime | None = None


@dataclass(frozen=True)
class Block:
    """Somebody has to do something first.

    Attributes:
        names: of the variables, the channel or the template that it is about.
    """

    why: Obstacle
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Send:
    """Write.

    Attributes:
        not_after: when the present opening ends: what is still waiting then is withdrawn.
        place: to be counted; None: nothing is, or it was when it was given.
    """

    step: MessageStep
    variant: Variant
    subject: Filled
    body: Filled
    not_after: datetime
    place: Place | None = None
    gives_back: datetime | None = None


@dataclass(frozen=True)
class Prepare:
    """Prepare a message that somebody sends by hand."""

    step: LinkedInStep
    variant: Variant
    body: Filled


@dataclass(frozen=True)
class AddTask:
    """Give somebody of the team something to do."""

    step: TaskStep
    title: Filled
    body: Filled
    due_at: datetime


@dataclass(frozen=True)
class Rest:
    """The wait is entered: the next step is due when it is over."""

    step: WaitStep
    until: datetime


@dataclass(frozen=True)
class Turn:
    """A branch is taken."""

    step: BranchStep
    holds: bool
    next: UUID | None


# A step is executed, …
Action = Send | Prepare | AddTask | Rest | Turn
# … or it is not.
Decision = Finish | Park | Pause | Pass | Later | Block | Action
