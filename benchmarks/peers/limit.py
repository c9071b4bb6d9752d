"""The limit: the same rows written set-based by one process, without any engine."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from django.conf import settings

from benchmarks.peers.peer import Mode, Peer
from benchmarks.workload.services import chunks_of, fields_of
from salesflow.accounts.context import current_tenant
from salesflow.accounts.ids import uuid7

COPY_PROSPECTS: LiteralString = """
    COPY bench_prospects (id, tenant_id, name, email, source, created_at) FROM STDIN
"""
COPY_EVENTS: LiteralString = """
    COPY events (id, tenant_id, type, version, payload, status, source, request_id, subject_type,
                 subject_id, occurred_at, error_message) FROM STDIN
"""
COPY_WELCOMES: LiteralString = "COPY bench_welcomes (event_id, prospect_id) FROM STDIN"
COPY_DELIVERIES: LiteralString = """
    COPY deliveries (event_id, handler, status, attempts, failures, worker, duration_ms, error,
                     finished_at) FROM STDIN
"""
SETTLE_EVENTS: LiteralString = """
    UPDATE events SET status = 'processed', processed_at = now() WHERE id = ANY(%s)
"""
# Type and version; status, source and request id.
TYPE, STATE = ("prospect.imported", 1), ("pending", "system", "")

# The ids of an event and of its lead.
Ids = tuple[UUID, UUID]


class Limit(Peer):
    """A transaction that publishes a chunk, a transaction that settles it, and so on."""

    name = "limit"
    title = "The limit: COPY and UPDATE"
    packages = ("psycopg",)
    history = "deliveries"
    finished = "status = 'succeeded'"
    history_since = "event_id >= %(since)s"

    def worker_commands(self) -> list[list[str]]:
        """The publishing process does it all."""
        return []

    def publish(self, mode: Mode, count: int) -> None:
        """Write and settle chunk by chunk; `mode` makes no difference."""
        tenant_id = current_tenant().id
        with psycopg.connect(settings.DATABASE_URL) as connection:
            for size in chunks_of(count):
                ids = [(uuid7(), uuid7()) for _ in range(size)]
                with connection.transaction():
                    _copy(connection, COPY_PROSPECTS, _prospects(ids, tenant_id))
                    _copy(connection, COPY_EVENTS, _events(ids, tenant_id))
                with connection.transaction():
                    _copy(connection, COPY_WELCOMES, ids)
                    _copy(connection, COPY_DELIVERIES, _deliveries(ids))
                    connection.execute(SETTLE_EVENTS, [[event_id for event_id, _ in ids]])


def _prospects(ids: list[Ids], tenant_id: UUID) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC)
    for number, (_, prospect_id) in enumerate(ids):
        fields = fields_of(number)
        yield prospect_id, tenant_id, fields["name"], fields["email"], "import", now


def _events(ids: list[Ids], tenant_id: UUID) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC)
    for event_id, prospect_id in ids:
        payload = json.dumps({"prospect_id": str(prospect_id), "source": "import"})
        yield event_id, tenant_id, *TYPE, payload, *STATE, "prospect", prospect_id, now, ""


def _deliveries(ids: list[Ids]) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC)
    for event_id, _ in ids:
        yield event_id, "welcome_imported", "succeeded", 1, 0, "limit", 0.1, "", now


def _copy(
    connection: psycopg.Connection[Any], statement: LiteralString, rows: Iterable[tuple[Any, ...]]
) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
