"""Selections: which events somebody means. The list's address, a plan, the API and the command
all say it in these words."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any, Self
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events import registry
from events.models import Delivery, DeliveryStatus, Event, EventStatus, FailureGroup
from events.types import EventType
from events.windows import end_of_ids_before, first_id_since
from salesflow.accounts.models import Tenant
from salesflow.accounts.queries import visible_rows

# More do not fit into an address.
MOST_IDS = 200


@dataclass(frozen=True)
class Selection:
    """Events by what is known of them; what is empty narrows nothing.

    Attributes:
        ids: of events; all the rest has to be true of them, too.
        handler: events that failed at it; with another status, events that it was to handle, of
            the types that it listens to.
        tenant: its id.
        subject: the id of what the events are about.
        group: the fingerprint of a failure group: events that have failed so and still do.
        recorded_after: at this time or later.
        recorded_before: earlier than this.
    """

    ids: tuple[UUID, ...] = ()
    status: str = ""
    type: str = ""
    handler: str = ""
    source: str = ""
    tenant: str = ""
    subject: str = ""
    request_id: str = ""
    group: str = ""
    recorded_after: datetime | None = None
    recorded_before: datetime | None = None

    @classmethod
    def from_query(cls, params: Mapping[str, Any], *, also: Iterable[str] = ()) -> Self:
        """Read a selection from the parameters of an address; a form's empty ones say nothing.

        Args:
            params: such as `request.GET`.
            also: parameters that somebody else reads.

        Raises:
            ValidationError: naming each parameter that is unknown, given twice, or wrong.
        """
        known = [field.name for field in fields(cls)]
        given, errors = {}, {}
        for name in [name for name in params if name not in set(also)]:
            try:
                values = _values_of(params, name, known)
                if values:
                    given[name] = READERS[name](values)
            except ValidationError as error:
                errors[name] = error
        if errors:
            raise ValidationError(errors)
        return cls(**given)

    @classmethod
    def from_json(cls, told: Mapping[str, str]) -> Self:
        """The selection that `as_json` has told."""
        return cls.from_query(told)

    def as_json(self) -> dict[str, str]:
        """What narrows, by name, as text."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _as_text(value) for name, value in told.items() if value}

    def described(self, user: Any) -> list[tuple[str, str]]:
        """What narrows, in the reader's language: (what, value).

        Args:
            user: who reads it; what they may not see is told by its id alone.
        """
        told = self.as_json()
        return [(str(LABELS[name]), self._described(name, told[name], user)) for name in told]

    def _described(self, name: str, value: str, user: Any) -> str:
        if name == "ids":
            return str(len(self.ids)) if len(self.ids) > 1 else value
        if name == "status":
            return str(EventStatus(value).label)
        if name == "type" and value in EventType.values:
            return f"{EventType(value).label} ({value})"
        if name == "tenant":
            tenants = visible_rows(user, Tenant).filter(pk=value)
            return tenants.values_list("name", flat=True).first() or value
        if name == "group":
            group = visible_rows(user, FailureGroup).filter(fingerprint=value).first()
            if group:
                said = (group.handler, group.error_type, group.message)
                return ": ".join(filter(None, said))
        return value

    def events(self, rows: QuerySet[Event]) -> QuerySet[Event]:
        """Those of `rows` that are selected.

        Args:
            rows: what the user may see, without an order that another index would have to serve.
        """
        plain = {name: getattr(self, name) for name in PLAIN if getattr(self, name)}
        rows = rows.filter(**{PLAIN[name]: value for name, value in plain.items()})
        if after := self.recorded_after:
            rows = rows.filter(created_at__gte=after)
        if before := self.recorded_before:
            rows = rows.filter(created_at__lt=before)
        # Ids rise with time: bounds on them let indexes begin near the time that is asked for.
        rows = rows.filter(**{f"id__{bound}": id_ for bound, id_ in self.id_bounds.items()})
        if self.ids:
            rows = rows.filter(pk__in=self.ids)
        return self._by_deliveries(rows)

    @cached_property
    def id_bounds(self) -> dict[str, UUID]:
        """Between which ids all events of the window are: `gte` and `lt`; a query for each."""
        bounds = {}
        if self.recorded_after:
            bounds["gte"] = first_id_since(self.recorded_after)
        if self.recorded_before:
            bounds["lt"] = end_of_ids_before(self.recorded_before)
        return bounds

    def _by_deliveries(self, rows: QuerySet[Event]) -> QuerySet[Event]:
        deliveries = Delivery.objects.all()
        if self.handler:
            deliveries = deliveries.filter(handler=self.handler)
        if self.group:
            # Named one by one, since the index is of their ids.
            groups = FailureGroup.unscoped.filter(fingerprint=self.group)
            deliveries = deliveries.filter(group_id__in=list(groups.values_list("pk", flat=True)))
        if not (self.handler or self.group):
            return rows
        if self.group or self.status in ("", EventStatus.FAILED):
            failed = deliveries.filter(status=DeliveryStatus.FAILED)
            return rows.filter(pk__in=failed.values("event_id"))
        if handler := registry.get_handler(self.handler):
            rows = rows.filter(type__in=sorted(handler.types))
        return rows.filter(Exists(deliveries.filter(event_id=OuterRef("pk"))))


# Filters that are a column's value.
PLAIN = {
    "status": "status",
    "type": "type",
    "source": "source",
    "tenant": "tenant_id",
    "subject": "subject_id",
    "request_id": "request_id",
}
LABELS = {
    "ids": gettext_lazy("Events"),
    "status": gettext_lazy("Status"),
    "type": gettext_lazy("Type"),
    "handler": gettext_lazy("Handler"),
    "source": gettext_lazy("Source"),
    "tenant": gettext_lazy("Tenant"),
    "subject": gettext_lazy("Subject"),
    "request_id": gettext_lazy("Request"),
    "group": gettext_lazy("Failure"),
    "recorded_after": gettext_lazy("Recorded since"),
    "recorded_before": gettext_lazy("Recorded before"),
}


# --- Reading ------------------------------------------------------------------------------------


def _values_of(params: Mapping[str, Any], name: str, known: list[str]) -> str:
    if name not in known:
        there_are = _("There is no such parameter; there are: %(names)s.")
        raise ValidationError(there_are % {"names": ", ".join(sorted(known))})
    listed = params.getlist(name) if hasattr(params, "getlist") else [params[name]]
    if len(listed) > 1:
        raise ValidationError(_("Give it once."))
    return str(listed[0]).strip()


def _text(longest: int) -> Callable[[str], str]:
    def read(value: str) -> str:
        if len(value) > longest or "\x00" in value:
            raise ValidationError(_("This is no such name."))
        return value

    return read


def _status(value: str) -> str:
    if value not in EventStatus.values:
        statuses = ", ".join(EventStatus.values)
        raise ValidationError(_("Give one of: %(names)s.") % {"names": statuses})
    return value


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ValidationError(_("“%(value)s” is no id.") % {"value": value[:50]}) from None


def _id(value: str) -> str:
    return str(_uuid(value))


def _ids(value: str) -> tuple[UUID, ...]:
    ids = tuple(dict.fromkeys(_uuid(each) for each in value.split(",")))
    if len(ids) > MOST_IDS:
        raise ValidationError(_("Give at most %(most)d ids.") % {"most": MOST_IDS})
    return ids


def _moment(value: str) -> datetime:
    """A date and time, or a day's beginning; without a zone it is the reader's."""
    try:
        day = parse_date(value)
        moment = datetime.combine(day, time()) if day else parse_datetime(value)
        if moment and timezone.is_naive(moment):
            moment = timezone.make_aware(moment)
        found = moment.astimezone(UTC) if moment else None
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise ValidationError(_("Give a date and time in ISO 8601, such as 2026-01-31T18:00."))
    return found


READERS: dict[str, Callable[[str], Any]] = {
    "ids": _ids,
    "status": _status,
    "type": _text(100),
    "handler": _text(100),
    "source": _text(50),
    "tenant": _id,
    "subject": _id,
    "request_id": _text(64),
    "group": _id,
    "recorded_after": _moment,
    "recorded_before": _moment,
}


def _as_text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return value.isoformat() if isinstance(value, date) else str(value)
