"""The rows of the event list: a page of a selection and its size, read from an index whatever the
selection is.

Most indexes begin with the tenant. Who sees many tenants gets the first rows of each, merged.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, UUIDField
from django.utils import timezone

from events import registry
from events.models import Delivery, DeliveryStatus, Event, EventStatus, FailureGroup
from events.replays.meaning import given_up
from events.selections import Selection
from salesflow.accounts.admin_pagination import MOST_COUNTED
from salesflow.accounts.ids import first_uuid7_of
from salesflow.accounts.models import Tenant
from salesflow.accounts.paging import BadKey, Order, Page
from salesflow.accounts.queries import visible_rows

SIZE = 50
# Rows of an index that are looked through to count those that also are what else is asked for.
MOST_LOOKED_THROUGH = 1000
NEWEST_FIRST = Order(("id",), descending=True)
# As workers take them, and as `events_waiting` holds them.
LONGEST_WAITING_FIRST = Order(("due_at", "position"))
# `NEWEST_FIRST`, of the deliveries of events.
NEWEST_DELIVERED_FIRST = Order(("event_id",), descending=True)

Cut = Callable[[QuerySet[Any]], QuerySet[Any]]
"""Orders the rows of one index and leaves the first of them."""
Narrowing = Callable[[QuerySet[Event]], QuerySet[Event]]
"""Leaves some of the events."""


@dataclass(frozen=True)
class Count:
    """How many there are, as far as they were looked at.

    Attributes:
        has_more: whether there may be more than that.
    """

    number: int
    has_more: bool = False

    def __str__(self) -> str:
        return f"{intcomma(self.number)}{'+' if self.has_more else ''}"


@dataclass(frozen=True)
class Listing:
    """A selection's events in their order, to somebody who may see some tenants'."""

    selection: Selection
    user: Any

    @property
    def order(self) -> Order:
        """The newest first; of what is pending, what has waited longest."""
        chosen = self.selection
        waits = chosen.status == EventStatus.PENDING and not (chosen.group or self._is_named())
        return LONGEST_WAITING_FIRST if waits else NEWEST_FIRST

    @property
    def is_by_deliveries(self) -> bool:
        """Whether the events are found by their failed deliveries, which are fewer."""
        chosen = self.selection
        fails = chosen.status in ("", EventStatus.FAILED)
        return bool(chosen.group or (chosen.handler and fails)) and not self._is_named()

    def page(self, *, after: str = "", before: str = "") -> Page[Event]:
        """One page; the first where a key is unusable: nobody types keys."""
        try:
            return Page.taken(self._take, self._key_of, size=SIZE, after=after, before=before)
        except BadKey:
            return Page.taken(self._take, self._key_of, size=SIZE)

    def counted(self, most: int = MOST_COUNTED, *, at_least: int = 0) -> str:
        """How many there are, in words: “10,000+” when there are more than were counted.

        Args:
            at_least: how many are known already.
        """
        count = self.count(most)
        return str(replace(count, number=max(count.number, at_least)))

    def count(self, most: int = MOST_COUNTED, *, only: Narrowing | None = None) -> Count:
        """How many there are, up to so many.

        Where an index serves a part of the selection alone, no more than MOST_LOOKED_THROUGH of its
        rows are: “12+” when there may be more.

        Args:
            only: leaves those that count, which no index serves.
        """
        led, few = Listing(leading_part(self.selection), self.user), min(most, MOST_LOOKED_THROUGH)
        if only or led.selection != self.selection:
            has_more = led._number(few + 1) > few
            if only or has_more:
                rows = Event.unscoped.filter(pk__in=led._first(few))
                found = self.selection.events(visible_rows(self.user, Event) & rows)
                return Count((only(found) if only else found).count(), has_more)
        most = few if self._is_by_type else most
        number = self._number(most + 1)
        return Count(min(number, most), number > most)

    def count_given_up(self, most: int = MOST_COUNTED) -> Count:
        """How many of them a handler has given up, though others may have still to run.

        Those that failed are counted. What waits is looked through.
        """
        failed, waiting = (
            Listing(replace(self.selection, status=status), self.user)
            for status in (EventStatus.FAILED, EventStatus.PENDING)
        )
        chosen = self.selection
        first = Count(0) if chosen.status == EventStatus.PENDING else failed.count(most)
        rest = waiting.count(most, only=lambda events: given_up(events, chosen))
        number = first.number + rest.number
        return Count(min(number, most), first.has_more or rest.has_more or number > most)

    def _number(self, most: int) -> int:
        """How many there are, up to so many."""
        if _is_window(self.selection):
            return self._number_within(most)
        if self.order is not LONGEST_WAITING_FIRST:
            return self._first(most).count()
        # By events_waiting, which has no ids.
        if self.user.is_superuser and not self.selection.tenant:
            return self.selection.events(Event.unscoped.all()).values("tenant_id")[:most].count()
        return self._of_tenants(self.selection, self._beginning(most), "tenant_id")[:most].count()

    def _number_within(self, most: int) -> int:
        """The same of a window of time alone, by events_by_tenant_time."""
        chosen = self.selection
        window = {
            "created_at__gte": chosen.recorded_after,
            "created_at__lt": chosen.recorded_before,
        }
        told = {name: moment for name, moment in window.items() if moment}
        rows = Event.unscoped.filter(tenant_id=OuterRef("pk"), **told).order_by("-created_at")
        tenants = self._chosen(visible_rows(self.user, Tenant), "pk")
        return _of_each(tenants, rows[:most].values("tenant_id"))[:most].count()

    def _first(self, most: int) -> QuerySet[Any]:
        """The ids of so many events."""
        return self._ids(self._beginning(most))[:most]

    def _beginning(self, most: int) -> Cut:
        return lambda rows: self._index_order.apply(rows)[:most]

    def mark(self, page: Page[Event]) -> str:
        """The key of a first page's newest event: what `newer` is counted from."""
        newest = page.rows[0] if page.rows else Event(pk=first_uuid7_of(timezone.now()))
        return self._key_of(newest)

    def newer(self, mark: str, most: int) -> int:
        """How many events have come since a mark, counted up to `most + 1`; see `mark`.

        Raises:
            BadKey: it is none of this list.
        """
        by = self._index_order

        def cut(rows: QuerySet[Any]) -> QuerySet[Any]:
            return by.apply(by.beyond(rows, mark, reverse=True), reverse=True)[: most + 1]

        return self._ids(cut)[: most + 1].count()

    # --- Pages ----------------------------------------------------------------------------------

    @property
    def _index_order(self) -> Order:
        return NEWEST_DELIVERED_FIRST if self.is_by_deliveries else self.order

    def _key_of(self, event: Event) -> str:
        if self.is_by_deliveries:
            return NEWEST_DELIVERED_FIRST.key_of(Delivery(event_id=event.pk))
        return self.order.key_of(event)

    def _take(self, key: str, reverse: bool) -> list[Event]:
        by = self._index_order

        def cut(rows: QuerySet[Any]) -> QuerySet[Any]:
            beyond = by.beyond(rows, key, reverse=reverse) if key else rows
            return by.apply(beyond, reverse=reverse)[: SIZE + 1]

        ids = self._ids(cut)
        if not ids.query.is_sliced and self.order is NEWEST_FIRST:
            ids = ids.order_by("found" if reverse else "-found")[: SIZE + 1]
        events = Event.unscoped.filter(pk__in=ids).select_related("tenant").defer("payload")
        return list(self.order.apply(events, reverse=reverse)[: SIZE + 1])

    # --- Indexes --------------------------------------------------------------------------------

    def _ids(self, cut: Cut) -> QuerySet[Any]:
        """The ids of the first events, and perhaps of some more."""
        if self.is_by_deliveries:
            return self._by_group(cut) if self.selection.group else self._by_handler(cut)
        if self._is_named() or (self.user.is_superuser and not self._begins_with_tenant()):
            rows = self.selection.events(visible_rows(self.user, Event))
            return cut(rows).values("pk")
        if self._is_by_type:
            each = (replace(self.selection, type=name) for name in _types_of(self.selection))
            return _united(self._of_tenants(selection, cut) for selection in each)
        return self._of_tenants(self.selection, cut)

    @property
    def _is_by_type(self) -> bool:
        """Whether the events are found by the types of a handler, and then by their deliveries."""
        chosen = self.selection
        is_other = self.is_by_deliveries or self._is_named() or self.order is LONGEST_WAITING_FIRST
        return bool(chosen.handler and not is_other and _types_of(chosen))

    def _of_tenants(self, selection: Selection, cut: Cut, column: str = "pk") -> QuerySet[Any]:
        rows = selection.events(Event.unscoped.filter(tenant_id=OuterRef("pk")))
        tenants = self._chosen(visible_rows(self.user, Tenant), "pk")
        return _of_each(tenants, cut(rows).values(column))

    def _chosen(self, rows: QuerySet[Any], tenant: str) -> QuerySet[Any]:
        """The rows of the selection's tenant, if it names one."""
        chosen = self.selection.tenant
        return rows.filter(**{tenant: chosen}) if chosen else rows

    def _is_named(self) -> bool:
        """Whether the selection names few events by an index of their own."""
        chosen = self.selection
        return bool(chosen.ids or chosen.subject or chosen.request_id)

    def _begins_with_tenant(self) -> bool:
        """Whether the index that serves the selection does."""
        chosen = self.selection
        by_column = chosen.tenant or chosen.type or chosen.source or chosen.handler
        return bool(by_column) or self.order is LONGEST_WAITING_FIRST

    def _by_group(self, cut: Cut) -> QuerySet[Any]:
        groups = visible_rows(self.user, FailureGroup).filter(fingerprint=self.selection.group)
        failed = self._failed(Q(group_id=OuterRef("pk")))
        return _of_each(groups, cut(failed).values("event_id"))

    def _by_handler(self, cut: Cut) -> QuerySet[Any]:
        if self.user.is_superuser and not self.selection.tenant:
            return cut(self._failed(Q())).values("event_id")
        # By the tenants' groups, but for what was never put into one.
        groups = visible_rows(self.user, FailureGroup).filter(handler=self.selection.handler)
        failed = self._failed(Q(group_id=OuterRef("pk")), is_of_tenant=True)
        grouped = _of_each(self._chosen(groups, "tenant"), cut(failed).values("event_id"))
        alone = cut(self._failed(Q(group_id=None)))
        return _united([grouped, alone.values(found=F("event_id"))])

    def _failed(self, condition: Q, *, is_of_tenant: bool = False) -> QuerySet[Delivery]:
        """The failed deliveries of the selection's events.

        Args:
            is_of_tenant: whether the condition sees to it that they are visible, and of the
                selection's tenant.
        """
        failed = Delivery.objects.filter(condition, status=DeliveryStatus.FAILED)
        if self.selection.handler:
            failed = failed.filter(handler=self.selection.handler)
        bounds = self.selection.id_bounds.items()
        failed = failed.filter(**{f"event_id__{bound}": id_ for bound, id_ in bounds})
        rest = replace(self.selection, group="", handler="")
        if is_of_tenant:
            rest = replace(rest, tenant="")
        # A group is of one tenant; handlers are of all.
        may_see_all = self.user.is_superuser or self.selection.group or is_of_tenant
        if rest == Selection() and may_see_all:
            return failed
        events = Event.unscoped if may_see_all else visible_rows(self.user, Event)
        return failed.filter(Exists(rest.events(events.filter(pk=OuterRef("event_id")))))


def leading_part(selection: Selection) -> Selection:
    """The part of a selection that an index serves alone: what is left narrows what that finds."""
    served = next(fields for fields, is_meant in _SERVED if is_meant(selection))
    kept = {name: getattr(selection, name) for name in served}
    return Selection(**kept)


_WINDOW = ("recorded_after", "recorded_before")
# What the indexes of events and deliveries serve, the narrowest first. Most events are processed.
_SERVED: tuple[tuple[tuple[str, ...], Callable[[Selection], Any]], ...] = (
    (tuple(field.name for field in fields(Selection)), lambda chosen: chosen.ids),
    (("subject",), lambda chosen: chosen.subject),
    (("request_id", *_WINDOW), lambda chosen: chosen.request_id),
    (("group", *_WINDOW), lambda chosen: chosen.group),
    (("status", "tenant"), lambda chosen: chosen.status == EventStatus.PENDING),
    (("status", "handler", "tenant", *_WINDOW), lambda chosen: chosen.handler),
    (("status", "type", "tenant", *_WINDOW), lambda chosen: chosen.type),
    (("status", "source", "tenant", *_WINDOW), lambda chosen: chosen.source),
    # No index has what was processed: of a window long ago each row is fetched from somewhere else.
    (
        ("tenant", *_WINDOW),
        lambda chosen: chosen.status == EventStatus.PROCESSED and _has_window(chosen),
    ),
    (("status", "tenant", *_WINDOW), lambda chosen: True),
)


def _has_window(selection: Selection) -> bool:
    """Whether a time narrows it."""
    return bool(selection.recorded_after or selection.recorded_before)


def _is_window(selection: Selection) -> bool:
    """Whether nothing but a time narrows it, and perhaps a tenant."""
    narrowed = set(selection.as_json())
    return bool(narrowed & set(_WINDOW)) and narrowed <= {"tenant", *_WINDOW}


def _types_of(selection: Selection) -> list[str]:
    """The types among which a handler's events are, where one that is declared is asked for."""
    handler = registry.get_handler(selection.handler)
    if handler is None:
        return []
    return sorted(handler.types & {selection.type} if selection.type else handler.types)


class Unnest(Func):
    """One row for each entry of an array of ids."""

    function = "unnest"
    output_field = UUIDField()
    set_returning = True


def _of_each(drivers: QuerySet[Any], ids: QuerySet[Any]) -> QuerySet[Any]:
    """The ids that a subquery finds for each row of another table."""
    found: QuerySet[Any] = drivers.order_by().annotate(found=Unnest(ArraySubquery(ids)))
    return found.values("found")


def _united(parts: Iterable[QuerySet[Any]]) -> QuerySet[Any]:
    """The ids of all parts as one."""
    first, *others = parts
    return first.union(*others, all=True) if others else first
