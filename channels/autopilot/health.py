"""How an endpoint is, in words: as `channels.health` says it of accounts."""

from collections.abc import Sequence
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from channels.autopilot.circuits import circuit_key
from channels.autopilot.models import Endpoint
from channels.health import Health
from events.breakers import refused


def health_of(endpoints: Sequence[Endpoint]) -> dict[UUID, Health]:
    """How each of these endpoints is, in one query."""
    keys = {circuit_key(endpoint.pk): endpoint.pk for endpoint in endpoints}
    resting = {keys[key] for key in refused(keys)}
    return {each.pk: _health(each, each.pk in resting) for each in endpoints}


def _health(endpoint: Endpoint, is_resting: bool) -> Health:
    if not endpoint.is_active:
        return Health(_("Not in use"))
    if endpoint.stopped_at:
        return Health(_("Stopped"), "bad", endpoint.stopped_reason)
    if is_resting:
        return Health(_("Left alone for a while after many errors"), "bad", endpoint.last_error)
    if endpoint.last_error_at:
        return Health(_("The last try failed"), "warn", endpoint.last_error)
    # What an endpoint takes is known from its first answer on.
    return Health(_("Works"), "good") if endpoint.takes else Health(_("Not used yet"))
