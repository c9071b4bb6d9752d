"""A team with a model, rules, and customers who write: what the tests of drafts stand on."""

import json
from datetime import time, timedelta
from typing import Any

from django.utils import timezone

from channels.autopilot.limits import FOR_IT, Limits
from channels.autopilot.models import Draft, Mode, Run
from channels.autopilot.policies import Actions, save_rule
from channels.autopilot.sending import send_draft
from channels.models import Message
from channels.payloads import MessageReceived
from events.testing import settle_events
from leads.models import Lead
from tests.autopilot.endpoint import Server
from tests.channels.factories import make_inbound_message, make_reachable_lead
from tests.channels.template_factories import make_template

# Within which nothing is closed by the clock or by a number.
WIDE = {
    "weekdays": frozenset(range(7)),
    "opens": time(0),
    "closes": time(23, 59, 59, 999999),
    "per_day": 1000,
    "topics": frozenset(FOR_IT),
    "least_confidence": 0.0,
    "first_contact": True,
    "hold_seconds": 10,
}
# What the team has written itself, so that it may go out without anybody.
THANKS = "Thank you for your message. A colleague will get back to you."


def received(message: Message) -> MessageReceived:
    """What is published when a message has come in."""
    return MessageReceived(
        lead_id=message.lead_id,
        message_id=message.pk,
        conversation_id=message.conversation_id,
        channel=message.channel,
        message_type=message.type,
        automatic=message.automatic,
    )


def set_rule(mode: str = Mode.APPROVE, channel: str = "", **fields: Any) -> None:
    """The rule of the current tenant, or of a channel; the fields are of its limits and actions."""
    actions = {name: fields.pop(name) for name in Actions.model_fields if name in fields}
    criteria = fields.pop("criteria", None)
    save_rule(
        channel=channel,
        mode=mode,
        limits=Limits(**WIDE | fields),
        actions=Actions(**actions),
        criteria=criteria,
        actor=None,
    )


def make_own_words() -> None:
    """A canned reply with what may go out by itself."""
    make_template(name="Thanks", body=THANKS)


def says(server: Server, text: str, topic: str = "thanks") -> None:
    """Let the model answer that from now on."""
    server.text = json.dumps({"topic": topic, "text": text}, ensure_ascii=False)


def answers(server: Server, **values: Any) -> None:
    """Let the model answer with those values from now on."""
    server.text = json.dumps(values, ensure_ascii=False)


def writes(body: str = "Thanks for the call!", lead: Lead | None = None, **fields: Any) -> Message:
    """A customer has written, and everything has happened that follows."""
    message = make_inbound_message(lead or make_reachable_lead(name="Ada Lovelace"), body=body,
                                   **fields)  # fmt: skip
    settle_events()
    return message


def draft_to(message: Message) -> Draft:
    """The draft that answers a message."""
    rows = Draft.objects.select_related("conversation", "lead", "run")
    draft: Draft = rows.get(based_on=message)
    return draft


def run_of(message: Message) -> Run:
    """The run that was to answer a message."""
    run: Run = Run.objects.get(key=f"draft:{message.pk}")
    return run


def let_go(draft: Draft) -> Message | None:
    """The time to stop it is over."""
    past = timezone.now() - timedelta(seconds=1)
    Draft.objects.filter(pk=draft.pk, state=Draft.State.APPROVED).update(send_after=past)
    return send_draft(draft.pk)


def outbound() -> list[Message]:
    """What was written to customers."""
    return list(Message.objects.filter(direction="outbound").order_by("created_at"))
