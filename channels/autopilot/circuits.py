"""A circuit for each endpoint: one tenant's broken server stops nobody else's calls."""

from uuid import UUID

from channels.autopilot.models import Call, Endpoint
from channels.autopilot.outcomes import AiError, Outcome
from events import BreakerPolicy
from events.breakers import begin_call, end_call

# Calls to a model are few and long: fewer of them tell that it is down, over a longer time.
POLICY = BreakerPolicy(failure_rate=0.5, minimum=5, window=300, cooldown=20)
# Seconds after which a call that is a circuit's probe counts as lost.
TIMEOUT = 180.0
# What speaks against the server; all else is an answer.
AT_FAULT = frozenset({Outcome.UNAVAILABLE, Outcome.TIMEOUT, Outcome.RATE_LIMITED, Outcome.CUT})


def circuit_key(endpoint_id: UUID) -> str:
    """Under which an endpoint's circuit is kept."""
    return f"model:{endpoint_id}"


def ask_circuit(endpoint: Endpoint, call: Call) -> None:
    """Raise Postpone while the endpoint is left alone."""
    begin_call(circuit_key(endpoint.pk), _call_id(call), TIMEOUT)


def tell_circuit(endpoint: Endpoint, call: Call, error: Exception | None) -> None:
    """Say what came of the call; None: it was answered."""
    is_fault = not isinstance(error, AiError) or error.outcome in AT_FAULT
    end_call(circuit_key(endpoint.pk), _call_id(call), POLICY, error if is_fault else None)


def _call_id(call: Call) -> int:
    # A positive bigint: the random half of the id.
    return call.pk.int & ((1 << 62) - 1)
