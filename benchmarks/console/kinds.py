"""The event types of the log and the ways in which their handlers fail."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from benchmarks.console.shape import GROUPS
from events import registry
from events.console.examples import example_of
from events.failures.fingerprints import Signature
from events.models import FailureGroup
from events.payloads import Payload, payload_types
from events.registry import Handler

# How often a type is published, beside the others; what is not named is rare.
WEIGHTS = {
    "lead.updated": 22,
    "lead.stage_changed": 15,
    "lead.created": 10,
    "message.queued": 9,
    "message.sent": 9,
    "note.added": 8,
    "lead.assigned": 6,
    "message.delivered": 5,
    "message.received": 4,
    "message.read": 3,
    "sequence.step_executed": 3,
    "lead.lost": 1.5,
    "sequence.enrolled": 1.2,
    "lead.won": 1,
    "autopilot.action_executed": 0.8,
}
RARE = 0.2


@dataclass(frozen=True)
class Kind:
    """An event type: what it says, who handles it, which share of the events is of it."""

    number: int
    payload: type[Payload]
    share: float

    @property
    def name(self) -> str:
        """The event type."""
        return self.payload.event_type

    @property
    def handlers(self) -> list[Handler]:
        """In the order of their declaration."""
        return registry.handlers_of(self.name)

    @property
    def example(self) -> str:
        """A payload of the type, as JSON."""
        return json.dumps(json.loads(example_of(self.payload)))


def kinds() -> list[Kind]:
    """All types that the product declares, by name, numbered from 0."""
    types = sorted(payload_types().items())
    total = sum(WEIGHTS.get(name, RARE) for name, _payload in types)
    return [
        Kind(number, payload, WEIGHTS.get(name, RARE) / total)
        for number, (name, payload) in enumerate(types)
    ]


# --- Ways to fail -------------------------------------------------------------------------------

FAILING = (
    "handle_lead_created",
    "handle_lead_edit",
    "handle_stage_change",
    "handle_message_sent",
    "deliver_message",
    "handle_sequence_step",
    "handle_lead_removal",
    "post_alert",
)
ERRORS = (
    ("TimeoutError", "no answer from crm.example.com within 31 s", "salesflow.remote:ask"),
    ("KeyError", "'stage_position'", "analytics.summaries:add"),
    ("ValueError", "lead 48213 has no pipeline", "leads.services:place"),
    ("psycopg.errors.NumericValueOutOfRange", "integer out of range", "analytics.models:save"),
    ("channels.transports.TransportRefused", "550 mailbox unavailable", "channels.smtp:send"),
)
STATES = ("open", "open", "open", "acknowledged", "muted", "resolved", "open", "acknowledged")
LINE = '  File "/srv/salesflow/{file}.py", line {line}, in {function}\n    {function}(event)\n'


@dataclass(frozen=True)
class Way:
    """One way of failing: a group at each tenant that it hits.

    Attributes:
        number: from 0.
        kind: the number of the type whose events fail so.
        tenants: how many tenants it hits, the big one first.
    """

    number: int
    handler: Handler
    kind: int
    error: str
    text: str
    frame: str
    tenants: int

    @property
    def signature(self) -> Signature:
        """What the engine would have found of it."""
        from events.failures.fingerprints import masked

        return Signature(self.handler.name, self.error, self.frame, masked(self.text))

    @property
    def fingerprint(self) -> UUID:
        """The same at all tenants."""
        return self.signature.fingerprint

    @property
    def sentence(self) -> str:
        """What deliveries and attempts say."""
        return f"{self.error.rpartition('.')[2]}: {self.text}"

    @property
    def state(self) -> str:
        """What people have decided about it."""
        return str(FailureGroup.State(STATES[self.number % len(STATES)]))

    @property
    def traceback(self) -> str:
        """As long as real ones are."""
        module, _colon, function = self.frame.partition(":")
        frames = [(module.replace(".", "/"), line, function) for line in range(40, 200, 20)]
        lines = (LINE.format(file=file, line=line, function=name) for file, line, name in frames)
        return f"Traceback (most recent call last):\n{''.join(lines)}{self.error}: {self.text}\n"


def ways(known: list[Kind]) -> list[Way]:
    """Forty of them: eight handlers, five errors each."""
    return list(_ways(known))


def _ways(known: list[Kind]) -> Iterator[Way]:
    for number in range(GROUPS):
        name, (error, text, frame) = FAILING[number % 8], ERRORS[number // 8]
        handler = registry.get_handler(name)
        assert handler, f"The product has no handler {name} any more."
        busiest = max((k for k in known if k.name in handler.types), key=lambda kind: kind.share)
        yield Way(number, handler, busiest.number, error, text, frame, (12, 1, 3)[number % 3])
