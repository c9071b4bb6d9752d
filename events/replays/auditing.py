"""What stays of every replay, beside its row: a line for each turn that it took."""

from collections.abc import Mapping
from typing import Any

from events import audit
from events.models import Replay
from salesflow.accounts.models import User


def note(
    verb: str,
    replay: Replay,
    *,
    actor: User | None = None,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write the line "replay.<verb>" or "give_up.<verb>", in the caller's transaction.

    Args:
        actor: who did it; None: a program, or the replay by itself.
        details: beside what every line about a replay says.
    """
    told: dict[str, Any] = {
        "events": replay.selected,
        "handlers": replay.handlers,
        "external": replay.include_external,
        "selection": replay.selection,
        "succeeded": replay.succeeded,
        "failed": replay.failed,
        "skipped": replay.skipped,
    }
    line = audit.record(
        f"{'give_up' if replay.gives_up else 'replay'}.{verb}",
        replay,
        actor=actor,
        tenant=replay.tenant,
        reason=reason,
        details=told | dict(details or {}),
    )
    if verb == "started" and replay.tenant is None:
        # Why may be another tenant's business.
        audit.record_parts(line, _parts_of(replay), reason="")


def _parts_of(replay: Replay) -> dict[Any, dict[str, Any]]:
    """Tenant → what a replay over several of them does with its events."""
    how = {"handlers": replay.handlers, "external": replay.include_external}
    counts: dict[str, int] = replay.plan.get("tenants", {})
    return {tenant_id: {"events": number, **how} for tenant_id, number in counts.items()}
