"""How the autopilot's events read on a lead's timeline."""

from decimal import Decimal

from django.utils.html import format_html
from django.utils.translation import gettext as _

from channels.autopilot.costs import dollars
from channels.autopilot.models import ActionType, Suggestion
from channels.autopilot.queries import OUTCOMES
from channels.models import Channel
from events.models import Event
from events.types import EventType
from leads.timeline import Words, describes

# Told by the draft itself, or no news.
UNTOLD = frozenset({"drafted", "off", "superseded"})


@describes(EventType.AUTOPILOT_DRAFT_CREATED)
def describe_draft(event: Event) -> Words:
    channel = event.payload["channel"]
    label = Channel(channel).label if channel in Channel.values else channel
    text = format_html(_("The autopilot drafted a reply · {channel}"), channel=label)
    return Words(text, icon="pencil-square", tone="clever", is_done_by_us=False)


@describes(EventType.AUTOPILOT_DRAFT_DECIDED)
def describe_decision(event: Event) -> Words | None:
    payload = event.payload
    is_rule = payload["decided_by_id"] is None
    match payload["decision"]:
        case "approved" if is_rule:
            text = _("A drafted reply goes out by the rules")
        case "approved":
            text = _("Drafted reply approved")
        case "dismissed":
            text = _("Drafted reply dismissed")
        case "expired":
            text = _("Nobody decided about a drafted reply in time")
        case _superseded:
            return None
    mark = ""
    if payload["edited"]:
        mark = _("%(share)d %% edited") % {"share": max(1, round(payload["edited"] * 100))}
    return Words(text, icon="check", tone="clever", mark=mark, is_done_by_us=not is_rule)


@describes(EventType.AUTOPILOT_ACTION_EXECUTED)
def describe_action(event: Event) -> Words | None:
    payload = event.payload
    outcome = payload.get("outcome", "")
    if outcome in UNTOLD:
        return None
    known = payload["action_type"] in ActionType.values
    action = ActionType(payload["action_type"]).label if known else payload["action_type"]
    said = OUTCOMES.get(outcome, outcome)
    text = format_html("{}", _("Autopilot, {what}").format(what=action))
    text = format_html("{}: {}", text, said) if said else text
    mark = dollars(Decimal(payload["cost"]))
    return Words(text, icon="sparkles", tone="clever", mark=mark, is_done_by_us=False)


@describes(EventType.SUGGESTION_ACCEPTED)
def describe_suggestion(event: Event) -> Words:
    kind = event.payload["kind"]
    label = Suggestion.Kind(kind).label if kind in Suggestion.Kind.values else kind
    text = format_html(_("Took what the autopilot proposed: {what}"), what=label)
    return Words(text, icon="hand-thumb-up", tone="clever")
