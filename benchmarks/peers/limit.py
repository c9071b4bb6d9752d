"""The limit: the same rows written set-based by one process, without any engine."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from psycopg import sql
from psycopg.types.json import Jsonb

from benchmarks.peers.peer import Mode, Peer
from benchmarks.workload.services import chunks_of, fields_of
from salesflow.accounts.context import current_tenant
from salesflow.accounts.ids import uuid7

SETTLE_EVENTS = """
    UPDATE events SET status = 'processed', processed_at = now() WHERE id = ANY(%s)
"""

# The ids of an event and of its lead.
Ids = tuple[UUID, UUID]


@dataclass(frozen=True)
class Table:
    """A table that is written with COPY in binary, which takes least: column → type."""

    name: str
    columns: dict[str, str]

    def copy(self, connection: psycopg.Connection[Any], rows: Iterable[tuple[Any, ...]]) -> None:
        """Write rows, their values in the order of the columns."""
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(self.name), sql.SQL(", ").join(map(sql.Identifier, self.columns))
        )
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(list(self.columns.values()))
            for row in rows:
                copy.write_row(row)


PROSPECTS = Table(
    "bench_prospects",
    {
        "id": "uuid",
        "tenant_id": "uuid",
        "name": "text",
        "email": "text",
        "source": "text",
        "created_at": "timestamptz",
    },
)
EVENTS = Table(
    "events",
    {
        "id": "uuid",
        "tenant_id": "uuid",
        "type": "text",
        "version": "int2",
        "payload": "jsonb",
        "status": "text",
        "source": "text",
        "request_id": "text",
        "subject_type": "text",
        "subject_id": "uuid",
        "occurred_at": "timestamptz",
        "error_message": "text",
    },
)
WELCOMES = Table("bench_welcomes", {"event_id": "uuid", "prospect_id": "uuid"})
DELIVERIES = Table(
    "deliveries",
    {
        "event_id": "uuid",
        "handler": "text",
        "status": "text",
        "attempts": "int4",
        "failures": "int4",
        "worker": "text",
        "duration_ms": "float8",
        "error": "text",
        "finished_at": "timestamptz",
    },
)
# Type and version; status, source and request id.
TYPE, STATE = ("prospect.imported", 1), ("pending", "system", "")


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
                    PROSPECTS.copy(connection, _prospects(ids, tenant_id))
                    EVENTS.copy(connection, _events(ids, tenant_id))
                with connection.transaction():
                    WELCOMES.copy(connection, ids)
                    DELIVERIES.copy(connection, _deliveries(ids))
                    connection.execute(SETTLE_EVENTS, [[event_id for event_id, _ in ids]])


def _prospects(ids: list[Ids], tenant_id: UUID) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC)
    for number, (_, prospect_id) in enumerate(ids):
        fields = fields_of(number)
        yield prospect_id, tenant_id, fields["name"], fields["email"], "import", now


def _events(ids: list[Ids], tenant_id: UUID) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC)
    for event_id, prospect_id in ids:
        payload = Jsonb({"prospect_id": str(prospect_id), "source": "import"})
        yield event_id, tenant_id, *TYPE, payload, *STATE, "prospect", prospect_id, now, ""


def _deliveries(ids: list[Ids]) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC)
    for event_id, _ in ids:
        yield event_id, "welcome_imported", "succeeded", 1, 0, "limit", 0.1, "", now
