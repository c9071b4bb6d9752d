"""What waits, as the health page shows it: in few statements, each of which reads an index.

Who sees all tenants is given None for them, here and in `events.rates`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from events import backlog, registry
from events.console.listing import Count
from events.models.delivery import UNTIL_RESUMED
from events.rows import fetch_rows
from salesflow.accounts.admin_pagination import MOST_COUNTED
from salesflow.accounts.queries import visible_tenant_ids

Tenants = Sequence[UUID] | None

# Steps through events_waiting and deliveries_to_call_by_tenant from tenant to tenant, however many
# rows each of them has. Events that only wait for a paused handler are not due.
TENANTS = """
    WITH tenant AS (
        SELECT id FROM accounts_tenant
        WHERE %(tenants)s::uuid[] IS NULL OR id = ANY(%(tenants)s::uuid[])
    )
"""
OLDEST = f"""
    {TENANTS}
    SELECT statement_timestamp(), oldest.* FROM (SELECT 1) AS always LEFT JOIN (
        SELECT event.* FROM tenant CROSS JOIN LATERAL (
            SELECT id, due_at FROM events
            WHERE status = 'pending' AND tenant_id = tenant.id AND due_at <= statement_timestamp()
            ORDER BY due_at, position LIMIT 1
        ) AS event ORDER BY due_at LIMIT 1
    ) AS oldest ON true
"""  # noqa: S608 (constants)
CALLS = f"""
    {TENANTS}
    SELECT external.handler, min(next_attempt_at)
    FROM unnest(%(handlers)s::text[]) AS external (handler) CROSS JOIN tenant CROSS JOIN LATERAL (
        SELECT next_attempt_at FROM deliveries
        WHERE handler = external.handler AND tenant_id = tenant.id AND status = 'pending'
          AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT 1
    ) AS due GROUP BY external.handler
"""  # noqa: S608 (constants)

# Reads deliveries_paused for database handlers, and deliveries_to_call for external ones.
HELD_BACK = f"""
    SELECT handler, (
        SELECT count(*) FROM (
            SELECT FROM deliveries WHERE handler = paused.handler AND status = 'pending'
              AND next_attempt_at = '{UNTIL_RESUMED}' LIMIT %(most)s
        ) AS parked
    ) + (
        SELECT count(*) FROM (
            SELECT FROM deliveries WHERE handler = paused.handler AND status = 'pending'
              AND tenant_id IS NOT NULL AND next_attempt_at <= statement_timestamp()
            LIMIT %(most)s
        ) AS due
    ) FROM handler_pauses AS paused
"""  # noqa: S608 (constants)
# A tenant's are found by its failures, but for what was never put into one.
FAILED = f"""
    WITH given_up AS (
        SELECT deliveries.event_id FROM failure_groups CROSS JOIN LATERAL (
            SELECT event_id FROM deliveries
            WHERE status = 'failed' AND group_id = failure_groups.id LIMIT %(most)s
        ) AS deliveries WHERE tenant_id = ANY(%(tenants)s::uuid[])
        UNION ALL
        SELECT event_id FROM deliveries
        WHERE status = 'failed' AND group_id IS NULL AND EXISTS (
            SELECT FROM events WHERE id = event_id AND tenant_id = ANY(%(tenants)s::uuid[])
        )
    )
    {backlog.DIFFERENT}
"""  # noqa: S608 (constants)


@dataclass(frozen=True)
class Oldest:
    """The event that has been due for longest, if any is.

    Attributes:
        now: the database's time.
    """

    now: datetime
    event_id: UUID | None
    due_at: datetime | None


def tenants_seen_by(user: Any) -> Tenants:
    """The tenants whose figures the user may see; None: all."""
    return None if user.is_superuser else visible_tenant_ids(user)


def oldest_due(tenants: Tenants) -> Oldest:
    """What has waited longest for a worker."""
    [row] = fetch_rows(OLDEST, {"tenants": _listed(tenants)})
    return Oldest(*row)


def calls_due(tenants: Tenants) -> dict[str, datetime]:
    """External handler → when its oldest delivery that is due became so."""
    names = [handler.name for handler in registry.all_handlers() if handler.is_external]
    return dict(fetch_rows(CALLS, {"tenants": _listed(tenants), "handlers": names}))


def given_up(tenants: Tenants, most: int = MOST_COUNTED) -> str:
    """How many events wait for a replay, in words: “10,000+” where there are more."""
    statement = backlog.FAILED if tenants is None else FAILED
    [(number,)] = fetch_rows(statement, {"tenants": _listed(tenants), "most": most + 1})
    return str(Count(min(number, most), has_more=number > most))


def held_back() -> dict[str, int]:
    """Paused handler → how many deliveries wait for it, of all tenants, counted up to 10,000."""
    rows = fetch_rows(HELD_BACK, {"most": MOST_COUNTED})
    return {handler: min(count, MOST_COUNTED) for handler, count in rows}


def _listed(tenants: Tenants) -> list[UUID] | None:
    return None if tenants is None else list(tenants)
