"""Publishing: one path from a change to its event rows, in the transaction of the change."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, Self, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import models, transaction
from django.db.models.signals import post_save
from django.utils import timezone

from events.context import current_event_context
from events.models import Event
from events.nudging import announce_after_commit
from events.payloads import Changes, Payload
from events.rows import Row, copy_models, may_be_copied, write_rows
from events.tracing import in_publish_span, traceparent
from salesflow.accounts.context import current_tenant
from salesflow.accounts.ids import uuid7
from salesflow.accounts.scoping import TenantQuerySet, TenantScoped, adopt_tenant

On = Literal["create", "change"]
M = TypeVar("M", bound="Publisher")


class SilentChange(RuntimeError):
    """A bulk write was about to change a watched field without an event."""


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
def _publish_silently(drafts: Iterable[Draft]) -> None:
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


# --- What models publish ------------------------------------------------------------------------


@dataclass(frozen=True)
class Declaration:
    """One `@publishes` of a model."""

    payload: type[Payload]
    on: frozenset[On]
    fields: tuple[str, ...]
    when: Callable[[Any], bool] | None
    occurred: str

    def applies(self, instance: "Publisher", changes: Changes | None) -> bool:
        """Whether a save publishes it.

        Args:
            changes: what the save changed, or None when it created the row.
        """
        if changes is None:
            due = "create" in self.on
        else:
            due = "change" in self.on and any(name in changes for name in self.fields)
        return due and (self.when is None or self.when(instance))


def publishes(
    payload: type[Payload],
    *,
    on: On | Sequence[On],
    fields: Sequence[str] = (),
    when: Callable[[Any], bool] | None = None,
    occurred: str = "",
) -> Callable[[type[M]], type[M]]:
    """Declare at the top of a model what its rows publish.

    Args:
        payload: its classmethod `of(instance, changes)` makes the payload, or None where another
            event tells the change.
        on: "create", "change" (one of `fields` has another value than when it was read), or both.
        fields: the watched fields.
        when: publishes only rows for which it is true.
        occurred: the row's own field that says when it happened; empty means now.
    """
    moments: frozenset[On] = frozenset([on] if isinstance(on, str) else on)

    def declare(model: type[M]) -> type[M]:
        if not issubclass(model, Publisher):
            raise ImproperlyConfigured(f"{model.__name__} publishes, so it must be a Publisher.")
        if "change" in moments and not fields:
            raise ImproperlyConfigured(
                f"{model.__name__} publishes {payload.__name__} on change: name the fields."
            )
        declaration = Declaration(payload, moments, tuple(fields), when, occurred)
        model.declarations = (declaration, *model.declarations)
        return model

    return declare


class PublisherQuerySet(TenantQuerySet[M]):
    """Bulk writes that publish what single saves would."""

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        """As Django's, and publish in bulk, in one transaction.

        Raises:
            SilentChange: with ignore_conflicts or update_conflicts, since nobody can tell then
                which rows were created.
        """
        if kwargs.get("ignore_conflicts") or kwargs.get("update_conflicts"):
            raise SilentChange("bulk_create cannot publish while it swallows conflicts.")
        with transaction.atomic(savepoint=False):
            created = self._insert_many(list(objs), *args, **kwargs)
            _publish_silently(draft for row in created for draft in drafts_of(row, None))
        for row in created:
            row.remember_watched()
        return created

    def _insert_many(self, rows: list[M], *args: Any, **kwargs: Any) -> list[M]:
        # COPY spares half of Django's time, where no value comes back from the database.
        if args or kwargs or not may_be_copied(rows):
            return super().bulk_create(rows, *args, **kwargs)
        for row in rows:
            adopt_tenant(row)
            row._prepare_related_fields_for_save("bulk_create")  # type: ignore[attr-defined]
        copy_models(rows)
        return rows

    def bulk_update(
        self, objs: Iterable[M], fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> int:
        """As Django's, and publish what changed, in one transaction."""
        rows, names = list(objs), set(fields)
        changes = [row.watched_changes(names) for row in rows]
        plain = models.QuerySet[M](self.model, using=self.db).filter(
            pk__in=[row.pk for row in rows]
        )
        with transaction.atomic(savepoint=False):
            updated = plain.bulk_update(rows, list(names), *args, **kwargs)
            _publish_silently(
                draft
                for row, changed in zip(rows, changes, strict=True)
                for draft in drafts_of(row, changed)
            )
        for row in rows:
            row.remember_watched(names)
        return updated

    def update(self, **kwargs: Any) -> int:
        """As Django's, for fields that nobody watches.

        Raises:
            SilentChange: a watched field; save the rows or use `bulk_update`.
        """
        silent = sorted(set(kwargs) & self.model.watched_fields())
        if silent:
            raise SilentChange(
                f"{self.model.__name__}.{', '.join(silent)} is watched: update() would change it "
                "without an event. Save the rows, or use bulk_update()."
            )
        return super().update(**kwargs)

    update.alters_data = True  # type: ignore[attr-defined]


class PublisherManager(models.Manager.from_queryset(PublisherQuerySet)):  # type: ignore[misc]
    """Rows of the current tenant whose bulk writes publish."""

    def get_queryset(self) -> PublisherQuerySet[Any]:
        queryset: PublisherQuerySet[Any] = super().get_queryset()
        return queryset.filter(tenant_id=current_tenant().id)


class Publisher(TenantScoped):
    """A model whose changes are events; what it publishes stands above its class."""

    declarations: ClassVar[tuple[Declaration, ...]] = ()

    objects: ClassVar[PublisherManager] = PublisherManager()
    unscoped: ClassVar[models.Manager[Self]] = models.Manager.from_queryset(PublisherQuerySet)()

    class Meta:
        abstract = True

    _seen: dict[str, Any]

    @classmethod
    def watched_fields(cls) -> frozenset[str]:
        """The names of all fields whose change is an event."""
        return frozenset(name for declared in cls.declarations for name in declared.fields)

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **options: Any) -> Any:
        """Remember what the row looked like when it was read."""
        row = super().from_db(db, field_names, values, **options)
        row.remember_watched()
        return row

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """Read the row anew, and remember that."""
        super().refresh_from_db(*args, **kwargs)
        self.remember_watched()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row and write its events in one transaction."""
        # In autocommit post_save runs after the row was committed: a crash between the two
        # would lose the event.
        with transaction.atomic(savepoint=False):
            if not self._state.adding:
                self._read_deferred()
            super().save(*args, **kwargs)

    def remember_watched(self, names: Iterable[str] | None = None) -> None:
        """Take the watched fields' present values as the ones that were read.

        Args:
            names: fields to remember; by default all.
        """
        wanted = self.watched_fields() if names is None else self.watched_fields() & set(names)
        seen = {} if names is None else dict(getattr(self, "_seen", {}))
        self._seen = seen | {
            name: value for name in wanted if (value := self._value(name)) is not _DEFERRED
        }

    def watched_changes(self, names: Iterable[str] | None = None) -> Changes:
        """Watched field → (value when read, value now), for those that differ."""
        wanted = self.watched_fields() if names is None else self.watched_fields() & set(names)
        seen = getattr(self, "_seen", {})
        return {
            name: (seen.get(name), self._value(name))
            for name in sorted(wanted)
            if self._value(name) is not _DEFERRED and seen.get(name) != self._value(name)
        }

    def _value(self, name: str) -> Any:
        field = self._meta.get_field(name)
        value = self.__dict__.get(field.attname, _DEFERRED)  # type: ignore[union-attr]
        # A copy, since lists and dictionaries can be changed in place.
        return _copy(value)

    def _read_deferred(self) -> None:
        """Read watched fields that were deferred when loaded and have been set since."""
        seen = getattr(self, "_seen", {})
        missing = [
            name
            for name in self.watched_fields() - seen.keys()
            if self._value(name) is not _DEFERRED
        ]
        if missing:
            self._seen = seen | (
                type(self)._base_manager.filter(pk=self.pk).values(*missing).first() or {}
            )


_DEFERRED = object()


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def drafts_of(row: Publisher, changes: Changes | None) -> list[Draft]:
    """The events that a save of `row` publishes.

    Args:
        changes: what the save changed, or None when it created the row.
    """
    return [
        Draft(payload, getattr(row, declared.occurred) if declared.occurred else None)
        for declared in row.declarations
        if declared.applies(row, changes) and (payload := declared.payload.of(row, changes or {}))
    ]


def publish_saved_row(
    sender: Any,
    instance: Any,
    created: bool,
    raw: bool,
    update_fields: frozenset[str] | None,
    **_kwargs: Any,
) -> None:
    """The one receiver of `post_save`: publish what the row's class declares."""
    if raw or not isinstance(instance, Publisher):
        return
    changes = None if created else instance.watched_changes(update_fields)
    _publish_silently(drafts_of(instance, changes))
    instance.remember_watched(None if created else update_fields)


def connect_publishing() -> None:
    """Connect the receiver, once."""
    post_save.connect(publish_saved_row, dispatch_uid="events.publish_saved_row")
