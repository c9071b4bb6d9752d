"""Publishing: one path from a change to its event rows, in the transaction of the change."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from events.context import current_event_context
from events.models import Event
from events.nudging import announce_after_commit
from events.payloads import Payload
from events.rows import Row, write_rows
from events.tracing import in_publish_span, traceparent
from salesflow.accounts.context import current_tenant
from salesflow.accounts.ids import uuid7


@dataclass(frozen=True)
class Draft:
    """An event that is about to be published.

    Attributes:
        occurred_at: when it happened, where that is not now (an import of old data).
    """

    payload: Payload
    occurred_at: datetime | None = None


def publish(
    payload: Payload,
    *,
    occurred_at: datetime | None = None,
    source: str | None = None,
    request_id: str | None = None,
) -> Event:
    """Write an event of the current tenant, in the current transaction if there is one.

    Args:
        payload: what happened.
        occurred_at: when, where that is not now.
        source: overrides the context's source, such as "web", "api", "import".
        request_id: overrides the context's request id.

    Raises:
        TenantNotSet: no tenant is current.
    """
    [event] = publish_many([Draft(payload, occurred_at)], source=source, request_id=request_id)
    return event


@in_publish_span
def publish_many(
    drafts: Iterable[Draft], *, source: str | None = None, request_id: str | None = None
) -> list[Event]:
    """Write many events in few statements; see `publish`."""
    rows = _publish_rows(_rows_of(drafts, source, request_id))
    return [Event.from_db("default", EVENT_FIELDS, row) for row in rows]


def _publish_rows(rows: list[Row]) -> list[Row]:
    if rows:
        with transaction.atomic(savepoint=False):
            write_rows(Event, EVENT_FIELDS, rows)
            announce_after_commit(Counter(row[TYPE] for row in rows))
    return rows


@in_publish_span
def publish_silently(drafts: Iterable[Draft]) -> None:
    """Publish where nobody asks for the events: most of the time goes into making them."""
    _publish_rows(_rows_of(drafts))


# In the model's order. What the database fills in is left out, and read from it when somebody asks
# an event for it.
EVENT_FIELDS = [
    "id",
    "tenant_id",
    "type",
    "version",
    "payload",
    "status",
    "source",
    "request_id",
    "traceparent",
    "subject_type",
    "subject_id",
    "actor_id",
    "cause_id",
    "occurred_at",
    "processed_at",
    "error_message",
]
TYPE = EVENT_FIELDS.index("type")


def event_of(draft: Draft) -> Event:
    """The row of a draft, with what the context says, not written yet."""
    [row] = _rows_of([draft])
    return Event(**dict(zip(EVENT_FIELDS, row, strict=True)))


def _rows_of(
    drafts: Iterable[Draft], source: str | None = None, request_id: str | None = None
) -> list[Row]:
    """The values of `EVENT_FIELDS` for each draft."""
    context, tenant_id, now = current_event_context(), current_tenant().id, timezone.now()
    from_where = source or context.source
    request = (context.request_id if request_id is None else request_id)[:64]
    trace = traceparent()
    return [
        (
            uuid7(),
            tenant_id,
            payload.event_type,
            payload.version,
            payload.model_dump(mode="json"),
            "pending",
            from_where,
            request,
            trace,
            payload.subject,
            payload.subject_id(),
            context.actor_id,
            context.cause_id,
            draft.occurred_at or now,
            None,
            "",
        )
        for draft in drafts
        for payload in [draft.payload]
    ]
