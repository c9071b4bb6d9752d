"""Makers of leads that can be written to, messages, and transports that do as they are told."""

from itertools import count
from typing import Any

from channels import services
from channels.models import Account, Channel, Message
from channels.transports import Outgoing, Receipt, TransportError
from channels.transports.interface import BaseTransport
from leads.models import Lead
from leads.services import create_lead

_numbers = count(1)


def make_reachable_lead(email: str = "", phone: str = "", **fields: Any) -> Lead:
    """A lead of the current tenant with one e-mail address and, when given, a phone number."""
    number = next(_numbers)
    return create_lead(
        name=fields.pop("name", f"Lead {number}"),
        emails=[email or f"lead{number}@example.com"],
        phones=[phone] if phone else [],
        **fields,
    )


def make_message(lead: Lead | None = None, **fields: Any) -> Message:
    """A queued e-mail to `lead`, or to a new one."""
    lead = lead or make_reachable_lead()
    return services.send_message(lead, **{"channel": Channel.EMAIL, "body": "Hello", **fields})


def make_inbound_message(lead: Lead | None = None, **fields: Any) -> Message:
    """An e-mail from `lead`, or from a new one."""
    lead = lead or make_reachable_lead()
    given = {"channel": Channel.EMAIL, "address": lead.emails[0], "body": "Hi", **fields}
    return services.receive_message(lead, **given)


class ScriptedTransport(BaseTransport):
    """Answers each call as scripted, the last answer for ever; keeps what it was given."""

    name = "scripted"
    label = "Scripted"

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.calls: list[Outgoing] = []

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Raise the next answer, or take the message over when it is None."""
        self.calls.append(outgoing)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer:
            raise answer
        return Receipt(vendor_id=f"scripted-{outgoing.message_id}")


def refused(reason: str = "no such mailbox") -> TransportError:
    """A refusal for good."""
    return TransportError(reason, permanent=True)
