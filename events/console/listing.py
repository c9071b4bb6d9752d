"""The rows of the event list: a page of a selection and its size, read from an index whatever the
selection is.

Most indexes begin with the tenant. Who sees many tenants gets the first rows of each, merged.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.contrib.humanize.templatetags.humanize import intcomma
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, Func, OuterRef, Q, QuerySet, UUIDField
from django.utils import timezone

from events.models import Delivery, DeliveryStatus, Event, EventStatus, FailureGroup
from events.selections import Selection
from salesflow.accounts.admin_pagination import MOST_COUNTED
from salesflow.accounts.ids import CLOCKS_DIFFER, first_uuid7_of
from salesflow.accounts.models import Tenant
from salesflow.accounts.paging import BadKey, Order, Page
from salesflow.accounts.queries import visible_rows

SIZE = 50
NEWEST_FIRST = Order(("id",), descending=True)
# As workers take them, and as `events_waiting` holds them.
LONGEST_WAITING_FIRST = Order(("due_at", "position"))
# `NEWEST_FIRST`, of the deliveries of events.
NEWEST_DELIVERED_FIRST = Order(("event_id",), descending=True)

Cut = Callable[[QuerySet[Any]], QuerySet[Any]]
"""Orders the rows of one index and leaves the first of them."""


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

    def counted(self, most: int = MOST_COUNTED) -> str:
        """How many there are, in words: “10,000+” when there are more than were counted."""
        found = self._ids(lambda rows: self._index_order.apply(rows)[: most + 1])
        number = found[: most + 1].count()
        return f"{intcomma(most)}+" if number > most else intcomma(number)

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
        rows = self.selection.events(Event.unscoped.filter(tenant_id=OuterRef("pk")))
        tenants = visible_rows(self.user, Tenant)
        if self.selection.tenant:
            tenants = tenants.filter(pk=self.selection.tenant)
        return _of_each(tenants, cut(rows).values("pk"))

    def _is_named(self) -> bool:
        """Whether the selection names few events by an index of their own."""
        chosen = self.selection
        return bool(chosen.ids or chosen.subject or chosen.request_id)

    def _begins_with_tenant(self) -> bool:
        """Whether the index that serves the selection does."""
        chosen = self.selection
        by_column = chosen.tenant or chosen.type or chosen.source
        return bool(by_column) or self.order is LONGEST_WAITING_FIRST

    def _by_group(self, cut: Cut) -> QuerySet[Any]:
        groups = visible_rows(self.user, FailureGroup).filter(fingerprint=self.selection.group)
        failed = self._failed(Q(group_id=OuterRef("pk")))
        return _of_each(groups, cut(failed).values("event_id"))

    def _by_handler(self, cut: Cut) -> QuerySet[Any]:
        return cut(self._failed(Q())).values("event_id")

    def _failed(self, condition: Q) -> QuerySet[Delivery]:
        """The failed deliveries of the selection's events."""
        failed = Delivery.objects.filter(condition, status=DeliveryStatus.FAILED)
        if self.selection.handler:
            failed = failed.filter(handler=self.selection.handler)
        failed = failed.filter(**_ids_within(self.selection))
        rest = replace(self.selection, group="", handler="")
        # A group is of one tenant; handlers are of all.
        may_see_all = self.user.is_superuser or self.selection.group
        if rest == Selection() and may_see_all:
            return failed
        events = Event.unscoped if may_see_all else visible_rows(self.user, Event)
        return failed.filter(Exists(rest.events(events.filter(pk=OuterRef("event_id")))))


def _ids_within(selection: Selection) -> dict[str, UUID]:
    """The ids that events recorded within the selection's window may have, for an index."""
    bounds = {}
    if after := selection.recorded_after:
        bounds["event_id__gte"] = first_uuid7_of(after, -CLOCKS_DIFFER)
    if before := selection.recorded_before:
        bounds["event_id__lt"] = first_uuid7_of(before, CLOCKS_DIFFER)
    return bounds


class Unnest(Func):
    """One row for each entry of an array of ids."""

    function = "unnest"
    output_field = UUIDField()
    set_returning = True


def _of_each(drivers: QuerySet[Any], ids: QuerySet[Any]) -> QuerySet[Any]:
    """The ids that a subquery finds for each row of another table."""
    found: QuerySet[Any] = drivers.order_by().annotate(found=Unnest(ArraySubquery(ids)))
    return found.values("found")
