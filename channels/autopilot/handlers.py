"""What the autopilot does about events. All of it only asks, or takes back: nothing here sends what
nobody, and no rule, has approved."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from channels.autopilot.drafts import draft_key, leads_with_drafts, review_drafts
from channels.autopilot.endpoints import endpoint_for
from channels.autopilot.models import ActionType, KnownSequence
from channels.autopilot.outdating import last_inbound
from channels.autopilot.payloads import AutopilotDraftDecided, AutopilotRunRequested
from channels.autopilot.performing import perform_run
from channels.autopilot.policies import Rule, rule_of_tenant, rules_of
from channels.autopilot.runs import request_run
from channels.autopilot.sending import note_withdrawn, send_draft
from channels.models import Conversation, Message
from events import EventType, register_event_handler
from events.models import Event
from leads.models import Lead
from salesflow.accounts.context import current_tenant

# Seconds; longer than any call.
LONGEST_RUN = 150.0
# More than a run has calls: it shall give itself up, and say so, also where workers were lost.
MOST_RUNS = 8
# What was replayed, or came in late, sets nothing off.
FRESH = timedelta(days=1)
IMPORT = "import"


@register_event_handler(
    EventType.AUTOPILOT_RUN_REQUESTED,
    effects="external",
    on_replay="skip",
    max_attempts=MOST_RUNS,
    timeout=LONGEST_RUN,
    # A system check tells whoever has set none at all.
    concurrency=max(1, settings.AI_CALLS_AT_ONCE),
    # Each endpoint has a circuit of its own: one customer's broken server stops nobody else.
    breaker=None,
)
def perform_requested_run(event: Event) -> None:
    """Ask a model what was requested; see `channels.autopilot.performing`.

    A run that ends in a fault fails this event too, so that an admin sees it and can replay it once
    the cause is gone.
    """
    requested = event.data
    assert isinstance(requested, AutopilotRunRequested)
    perform_run(requested.run_id)


@register_event_handler(EventType.MESSAGE_RECEIVED, batch=True)
def ask_for_drafts(events: list[Event]) -> None:
    """Have replies drafted, and the next step proposed, where the rules say so and the deal can
    still be won."""
    fresh = [event for event in events if _is_fresh(event) and not event.payload["automatic"]]
    if not fresh or endpoint_for(current_tenant()) is None:
        return
    ids = {UUID(event.payload["message_id"]) for event in fresh}
    conversations = {UUID(event.payload["conversation_id"]) for event in fresh}
    rows = list(
        Conversation.objects.select_related("lead").filter(pk__in=conversations).order_by("pk")
    )
    rules = rules_of(rows)
    for conversation in rows:
        rule = rules[conversation.pk]
        is_wanted = rule.is_on and conversation.lead.is_open
        last = last_inbound(conversation) if is_wanted else None
        if last and last.pk in ids:
            _ask_about(last, conversation, rule)


def _ask_about(message: Message, conversation: Conversation, rule: Rule) -> None:
    keys = {ActionType.DRAFT: draft_key(message), ActionType.PROPOSE: f"propose:{message.pk}"}
    wanted = {ActionType.DRAFT: rule.actions.drafts, ActionType.PROPOSE: rule.actions.proposes}
    for action, key in keys.items():
        if wanted[action]:
            request_run(action, key=key, lead=conversation.lead, conversation=conversation)


@register_event_handler(EventType.LEAD_CREATED, batch=True)
def qualify_new_leads(events: list[Event]) -> None:
    """Hold new leads against the criteria, where that is switched on."""
    actions = (rule := rule_of_tenant()).actions
    if not actions.qualifies or actions.is_held or not rule.criteria:
        return
    wanted = {
        event.payload["lead_id"]
        for event in events
        if _is_fresh(event) and (actions.imports or event.source != IMPORT)
    }
    if not wanted or endpoint_for(current_tenant()) is None:
        return
    for lead in Lead.objects.filter(pk__in=wanted).order_by("pk"):
        request_run(ActionType.QUALIFY, key=f"qualify:{lead.pk}", lead=lead)


@register_event_handler(
    EventType.MESSAGE_RECEIVED,
    EventType.MESSAGE_QUEUED,
    EventType.CONVERSATION_CLOSED,
    EventType.LEAD_WON,
    EventType.LEAD_LOST,
    EventType.LEAD_MERGED,
    EventType.LEAD_UPDATED,
    EventType.CONTACT_OPTED_OUT,
    EventType.ADDRESS_BOUNCED,
    batch=True,
)
def review_open_drafts(events: list[Event]) -> None:
    """Take approvals back, and close drafts, that what has happened has overtaken."""
    for lead_id in leads_with_drafts(UUID(event.payload["lead_id"]) for event in events):
        review_drafts(lead_id)


@register_event_handler(EventType.MESSAGE_WITHDRAWN)
def note_withdrawn_draft(event: Event) -> None:
    """Say on its draft that a message was taken back on its way."""
    note_withdrawn(UUID(event.payload["message_id"]))


@register_event_handler(
    EventType.AUTOPILOT_DRAFT_DECIDED,
    effects="external",
    on_replay="skip",
    # It calls nobody: it waits until nobody can stop the draft any more.
    breaker=None,
)
def send_approved_draft(event: Event) -> None:
    """Queue an approved draft's message once its time to be stopped is over."""
    decided = event.data
    assert isinstance(decided, AutopilotDraftDecided)
    if decided.decision == "approved":
        send_draft(decided.draft_id)


@register_event_handler(EventType.SEQUENCE_PUBLISHED, EventType.SEQUENCE_UPDATED)
def know_sequence(event: Event) -> None:
    """Remember which sequences can be proposed, by the names that they have now.

    What is told late, or once more, changes nothing.
    """
    told = event.payload
    known = {
        "name": told["sequence"][:100],
        "is_active": told["state"] == "active",
        "position": event.position,
    }
    rows = KnownSequence.objects.filter(sequence_id=told["sequence_id"])
    if event.type == EventType.SEQUENCE_PUBLISHED:
        rows.get_or_create(sequence_id=told["sequence_id"], defaults=known)
    rows.filter(position__lt=event.position).update(**known)


def _is_fresh(event: Event) -> bool:
    return timezone.now() - event.occurred_at < FRESH
