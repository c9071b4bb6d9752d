"""Publishers: models whose changes are events, whichever of Django's ways writes them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import models, transaction
from django.db.models.signals import post_save

from events.payloads import Changes, Payload
from events.publishing import Draft, publish_silently
from events.rows import copy_models, may_be_copied
from salesflow.accounts.context import current_tenant
from salesflow.accounts.scoping import TenantQuerySet, TenantScoped, adopt_tenant

On = Literal["create", "change"]
M = TypeVar("M", bound="Publisher")


class SilentChange(RuntimeError):
    """A bulk write was about to change a watched field without an event."""


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
        fields: the watched fields; `changes` has them by their names, a foreign key without `_id`.
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
        watched = tuple(model._meta.get_field(name).name for name in fields)
        declaration = Declaration(payload, moments, watched, when, occurred)
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
            publish_silently(draft for row in created for draft in drafts_of(row, None))
        for row in created:
            row.remember_watched()
        return created

    def _insert_many(self, rows: list[M], *args: Any, **kwargs: Any) -> list[M]:
        # COPY spares half of Django's time, where no value comes back from the database.
        if args or kwargs or not may_be_copied(rows):
            return super().bulk_create(rows, *args, **kwargs)
        for row in rows:
            if row._state.fields_cache:
                row._prepare_related_fields_for_save("bulk_create")  # type: ignore[attr-defined]
            adopt_tenant(row)
        copy_models(rows)
        return rows

    def bulk_update(
        self, objs: Iterable[M], fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> int:
        """As Django's, and publish what changed, in one transaction.

        Rows that are not there any more are neither updated nor published.

        Raises:
            TenantNotSet: no tenant is current.
            WrongTenant: a row belongs to another tenant than the current one.
        """
        names = list(fields)
        # Of Django's own class, whose update() asks nobody: what it changes is published here.
        silent = models.QuerySet[M](self.model, query=self.query.chain(), using=self.db)
        with transaction.atomic(savepoint=False):
            rows = self._hold(list(objs), names)
            updated = silent.bulk_update(rows, names, *args, **kwargs)
            publish_silently(
                draft for row in rows for draft in drafts_of(row, row.watched_changes(names))
            )
        for row in rows:
            row.remember_watched(names)
        return updated

    def _hold(self, rows: list[M], names: list[str]) -> list[M]:
        """Those of the rows that are there, locked, with what they were before."""
        wanted = self.filter(pk__in=[row.pk for row in rows], tenant_id=current_tenant().id)
        locked = wanted.order_by("pk").select_for_update(no_key=True)
        found = set(locked.values_list("pk", flat=True))
        _read_deferred(rows, names)
        # One whose tenant is not known even now is gone.
        rows = [row for row in rows if "tenant_id" in row.__dict__]
        for row in rows:
            adopt_tenant(row)
        # Those without a key are for Django to refuse.
        return [row for row in rows if row.pk is None or _key(row) in found]

    def update(self, **kwargs: Any) -> int:
        """As Django's, for fields that nobody watches.

        Raises:
            SilentChange: a watched field; save the rows or use `bulk_update`.
        """
        silent = sorted(self.model.watched_among(kwargs))
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

    # Watched field → what it was when it was read; replaced, never changed in place.
    _seen: dict[str, Any] = {}

    @classmethod
    def watched_fields(cls) -> frozenset[str]:
        """The names of all fields whose change is an event."""
        return frozenset(name for declared in cls.declarations for name in declared.fields)

    @classmethod
    def watched_among(cls, names: Iterable[str] | None) -> frozenset[str]:
        """The watched fields among those called so, by their own names.

        Args:
            names: of fields or, as Django takes both, of their columns, such as `stage_id`; None
                stands for all fields.
        """
        if names is None:
            return cls.watched_fields()
        given = frozenset(names)
        return frozenset(
            name for name in cls.watched_fields() if name in given or _attribute(cls, name) in given
        )

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **options: Any) -> Any:
        """Remember what the row looked like when it was read."""
        row = super().from_db(db, field_names, values, **options)
        row.remember_watched()
        return row

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: Any = None,
    ) -> None:
        """Read the row anew, or these of its fields, and remember that."""
        # Whoever reads a deferred field comes by here, too: what has been set meanwhile is not
        # what was read.
        names = None if fields is None else list(fields)
        super().refresh_from_db(using, names, from_queryset)
        self.remember_watched(names)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row and write its events in one transaction."""
        # In autocommit post_save runs after the row was committed: a crash between the two
        # would lose the event.
        with transaction.atomic(savepoint=False):
            if not self._state.adding:
                _read_deferred([self])
            super().save(*args, **kwargs)

    def remember_watched(self, names: Iterable[str] | None = None) -> None:
        """Take the watched fields' present values as the ones that were read.

        Args:
            names: fields to remember; by default all.
        """
        self._seen = ({} if names is None else self._seen) | {
            name: value
            for name in self.watched_among(names)
            if (value := self._value(name)) is not _DEFERRED
        }

    def watched_changes(self, names: Iterable[str] | None = None) -> Changes:
        """Watched field → (value when read, value now), for those that differ."""
        return {
            name: (self._seen.get(name), value)
            for name in sorted(self.watched_among(names))
            if (value := self._value(name)) is not _DEFERRED and value != self._seen.get(name)
        }

    def _value(self, name: str) -> Any:
        # A copy, since lists and dictionaries can be changed in place.
        return _copy(self.__dict__.get(_attribute(type(self), name), _DEFERRED))

    def _unseen(self, names: Iterable[str] | None) -> set[str]:
        """Watched fields that were deferred when the row was loaded and have been set since."""
        return {
            name
            for name in self.watched_among(names)
            if name not in self._seen and self._value(name) is not _DEFERRED
        }


_DEFERRED = object()


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _key(row: Publisher) -> Any:
    """The row's key as the database gives it, even if somebody made the row with its text."""
    return row._meta.pk.to_python(row.pk)


def _attribute(model: type[Publisher], name: str) -> str:
    """Where rows keep the field's value: a foreign key's is its id."""
    attribute: str = model._meta.get_field(name).attname  # type: ignore[union-attr]
    return attribute


def _read_deferred(rows: Sequence[Publisher], names: Iterable[str] | None = None) -> None:
    """Read, in one statement, what writing the rows wants to know and they were loaded without.

    That is whose they are, and what watched fields were before they were set.

    Args:
        names: the fields that will be written; by default all.
    """
    missing = {name for row in rows for name in row._unseen(names)}
    if any("tenant_id" not in row.__dict__ for row in rows):
        missing.add("tenant")
    if not missing:
        return
    stored = type(rows[0])._base_manager.filter(pk__in=[row.pk for row in rows])
    found = {values["pk"]: values for values in stored.values("pk", *missing)}
    for row in rows:
        if values := found.get(_key(row)):
            row.__dict__.setdefault("tenant_id", values.get("tenant"))
            row._seen = {name: values[name] for name in row._unseen(names)} | row._seen


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
    publish_silently(drafts_of(instance, changes))
    instance.remember_watched(None if created else update_fields)


def connect_publishing() -> None:
    """Connect the receiver, once."""
    post_save.connect(publish_saved_row, dispatch_uid="events.publish_saved_row")
