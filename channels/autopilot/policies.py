"""What the autopilot may do where: the rules of a tenant, of its channels, of single conversations.

The closest rule says the mode. Limits are the channel's, else the tenant's: a conversation has none
of its own. What it does by itself, and by which criteria leads are qualified, is the tenant's
alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict

from channels.autopilot.limits import Limits
from channels.autopilot.models import Mode, Policy
from channels.models import Channel, Conversation
from salesflow.accounts.models import User

MOST_CRITERIA = 12
LONGEST_CRITERION = 200
# From nothing on.
LADDER = [Mode.OFF, Mode.DRAFT, Mode.APPROVE, Mode.AUTO]


class Actions(BaseModel):
    """What is asked of a model without anybody asking.

    Attributes:
        drafts: a reply to each message of a lead, where the mode says more than “off”.
        proposes: the next step, after each message of a lead.
        qualifies: new leads, by the criteria.
        imports: imported leads, too.
        is_held: nothing at all, wherever: the brake.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    drafts: bool = True
    proposes: bool = False
    qualifies: bool = False
    imports: bool = False
    is_held: bool = False


@dataclass(frozen=True)
class Rule:
    """What holds in one place.

    Attributes:
        origin: whose mode it is: "conversation", "channel", "tenant"; empty: nobody has said
            anything, so it is off.
        base: the mode without the conversation's own rule.
        ceiling: what somebody who leads the team has left to it in the conversation; None: nobody.
    """

    mode: Mode = Mode.OFF
    limits: Limits = field(default_factory=Limits)
    actions: Actions = field(default_factory=Actions)
    criteria: tuple[str, ...] = ()
    origin: str = ""
    base: Mode = Mode.OFF
    ceiling: Mode | None = None

    @property
    def most(self) -> Mode:
        """The most that somebody who does not lead the team may leave to it here."""
        return self.ceiling or self.base

    @property
    def is_on(self) -> bool:
        """Whether it does anything here."""
        return self.mode != Mode.OFF and not self.actions.is_held


def rule_of(conversation: Conversation) -> Rule:
    """What holds in a conversation."""
    return rules_of([conversation])[conversation.pk]


def rules_of(conversations: Collection[Conversation]) -> dict[UUID, Rule]:
    """What holds in each of these conversations, in one query."""
    ids = [conversation.pk for conversation in conversations]
    rows = list(Policy.objects.filter(Q(conversation=None) | Q(conversation__in=ids)))
    of_channel = {row.channel: row for row in rows if row.conversation_id is None}
    own = {row.conversation_id: row for row in rows if row.conversation_id}
    return {each.pk: _rule(of_channel, each.channel, own.get(each.pk)) for each in conversations}


def off_with(lead_id: UUID) -> frozenset[UUID]:
    """The conversations with a lead in which it is off, in two queries."""
    rows = list(Conversation.objects.filter(lead=lead_id).only("id", "channel"))
    rules = rules_of(rows)
    return frozenset(row.pk for row in rows if not rules[row.pk].is_on)


def rule_of_tenant(channel: str = "") -> Rule:
    """What holds in the tenant, or in one of its channels."""
    rows = Policy.objects.filter(conversation=None, channel__in=["", channel])
    return _rule({row.channel: row for row in rows}, channel, None)


def _rule(of_channel: Mapping[str, Policy], channel: str, own: Policy | None) -> Rule:
    of_tenant, closest = of_channel.get(""), of_channel.get(channel) or of_channel.get("")
    origin = "channel" if closest and closest.channel else "tenant" if closest else ""
    base = Mode(closest.mode) if closest else Mode.OFF
    ceiling = Mode(own.ceiling) if own and own.ceiling else None
    return Rule(
        # Rules that were lowered since hold for what a rep has said, too.
        mode=min(Mode(own.mode), ceiling or base, key=LADDER.index) if own else base,
        limits=Limits.model_validate(closest.limits if closest else {}),
        actions=Actions.model_validate(of_tenant.actions if of_tenant else {}),
        criteria=tuple(criteria_of(of_tenant.criteria if of_tenant else "")),
        origin="conversation" if own else origin,
        base=base,
        ceiling=ceiling,
    )


def criteria_of(text: str) -> list[str]:
    """The criteria that somebody has written down, one a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


@transaction.atomic
def save_rule(
    *,
    channel: str = "",
    mode: str,
    limits: Limits,
    actions: Actions | None = None,
    criteria: str | None = None,
    actor: User | None,
) -> Policy:
    """Say what holds in the tenant, or in one of its channels.

    Args:
        channel: empty: all that have no rule of their own.
        actions: the tenant's rule alone has them.
        criteria: one a line; the tenant's rule alone has them.

    Raises:
        ValidationError: by `channel`, `mode` or `criteria`.
    """
    _refuse_wrong(channel, mode, criteria or "")
    policy, _made = Policy.objects.select_for_update().get_or_create(
        channel=channel, conversation=None
    )
    policy.mode, policy.limits = mode, limits.model_dump(mode="json")
    if actions is not None and not channel:
        policy.actions = actions.model_dump(mode="json")
    if criteria is not None and not channel:
        policy.criteria = "\n".join(criteria_of(criteria))
    policy.changed_by = actor
    policy.save()
    kept: Policy = policy
    return kept


@transaction.atomic
def hold(*, is_held: bool, actor: User | None) -> Policy:
    """Pull the brake, or let go of it: while it is held no model is asked and nothing is sent by
    itself, whatever the rules say."""
    policy, _made = Policy.objects.select_for_update().get_or_create(channel="", conversation=None)
    actions = Actions.model_validate(policy.actions)
    policy.actions = actions.model_copy(update={"is_held": is_held}).model_dump(mode="json")
    policy.changed_by = actor
    policy.save()
    kept: Policy = policy
    return kept


def forget_rule(channel: str) -> None:
    """Let a channel go by the tenant's rule again."""
    Policy.objects.filter(channel=channel, conversation=None).exclude(channel="").delete()


@transaction.atomic
def set_mode(conversation: Conversation, mode: str, *, actor: User, is_leading: bool) -> None:
    """Say what holds in one conversation; an empty mode lets it go by its channel's rule again.

    Args:
        is_leading: whether the actor leads the team: then it is a ceiling for all others, who may
            leave less to it and never more.

    Raises:
        PermissionDenied: it would be left more than the actor may leave it, or what somebody who
            leads the team has said would be taken back.
        ValidationError: under "mode": there is no such mode.
    """
    if mode and mode not in Mode.values:
        raise ValidationError({"mode": gettext("There is no such mode.")})
    if not is_leading:
        _refuse_more(rule_of(conversation), mode)
    rows = Policy.objects.filter(conversation=conversation)
    if not mode:
        # A ceiling that was set this very moment stays.
        (rows if is_leading else rows.filter(ceiling="")).delete()
        return
    said = {"mode": mode, "channel": conversation.channel, "changed_by": actor}
    if is_leading:
        said["ceiling"] = mode
    Policy.objects.update_or_create(conversation=conversation, defaults=said)


def _refuse_more(rule: Rule, mode: str) -> None:
    """Refuse what only those who lead the team may say where that rule holds."""
    if not mode and rule.ceiling:
        reason = gettext("Only managers and admins may take back what one of them has said here.")
        raise PermissionDenied(reason)
    if mode and LADDER.index(Mode(mode)) > LADDER.index(rule.most):
        raise PermissionDenied(gettext("Only managers and admins may leave it more."))


def _refuse_wrong(channel: str, mode: str, criteria: str) -> None:
    errors: dict[str, Any] = {}
    if channel and channel not in Channel.values:
        errors["channel"] = gettext("There is no such channel.")
    if mode not in Mode.values:
        errors["mode"] = gettext("There is no such mode.")
    lines = criteria_of(criteria)
    if len(lines) > MOST_CRITERIA:
        errors["criteria"] = gettext("%(most)d criteria at most.") % {"most": MOST_CRITERIA}
    elif any(len(line) > LONGEST_CRITERION for line in lines):
        reason = gettext("A criterion holds up to %(longest)d characters.")
        errors["criteria"] = reason % {"longest": LONGEST_CRITERION}
    elif "\x00" in criteria:
        errors["criteria"] = gettext("Null characters are not allowed.")
    if errors:
        raise ValidationError(errors)
