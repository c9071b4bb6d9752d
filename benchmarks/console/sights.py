"""What there is to look at in a log: rows that somebody sees, for the addresses of pages."""

from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from benchmarks.console.log import IMPORT
from benchmarks.console.people import person, tenant_of
from events import audit
from events.console.listing import Listing
from events.failures.queries import SeenFailure, failures_seen
from events.models import AlertRule, AuditLine, Delivery, Event, Replay
from events.replays.filling import fill_plans
from events.replays.planning import plan_for_page
from events.replays.progress import visible_replays
from events.selections import Selection
from salesflow.accounts.queries import visible_rows
from salesflow.accounts.services import create_api_key


class Sights:
    """What one of `PEOPLE` sees."""

    huge_request = IMPORT

    def __init__(self, name: str) -> None:
        self.user: Any = person(name)
        self.tenant = tenant_of(name)
        self.now = timezone.now()

    def ago(self, length: timedelta) -> str:
        """A moment of the past, for an address."""
        return (self.now - length).isoformat(timespec="seconds")

    @cached_property
    def key(self) -> str:
        """A key of their tenant, for the API."""
        return create_api_key(self.tenant, name="bench")[1]

    # --- Events ---------------------------------------------------------------------------------

    @cached_property
    def _events(self) -> QuerySet[Event]:
        return visible_rows(self.user, Event).filter(tenant=self.tenant).defer("payload")

    @cached_property
    def plain(self) -> Event:
        """One that went well, about something, of a request that has others."""
        went_well = self._events.filter(
            status="processed", cause_id__isnull=False, subject_id__isnull=False
        )
        return went_well.exclude(request_id="").order_by("-id")[:1].get()

    @cached_property
    def failed(self) -> Any:
        """One that stands as failed, in the largest group."""
        return self._of_delivery(status="failed", group_id__in=self.group.group_ids)

    @cached_property
    def busy_subject(self) -> UUID | None:
        """The lead about which there are most events, of late."""
        recent = self._events.filter(subject_id__isnull=False).order_by("-id")[:5000]
        ids = self._events.filter(pk__in=recent.values("pk")).values("subject_id")
        found = ids.annotate(number=Count("pk")).order_by("-number", "subject_id")
        busy: UUID | None = found[0]["subject_id"]
        return busy

    @cached_property
    def events_of_tenant(self) -> dict[str, Event]:
        """Events of their own tenant: what each shows → the event."""
        is_cause = Q(pk=self.plain.cause_id)
        found = {
            "plain": self.plain,
            "failed": self.failed,
            "parked": self._of_delivery(status="pending", next_attempt_at__year=9999),
            "called eight times": self._of_delivery(status="failed", handler="deliver_message"),
            "corrected": self._of_delivery(status="skipped"),
            "correction": self._events.filter(corrects_id__isnull=False).first(),
            "cause": self._events.filter(is_cause).first(),
            "of the huge request": self._events.filter(request_id=IMPORT).order_by("id").first(),
        }
        return {name: event for name, event in found.items() if event}

    @cached_property
    def events(self) -> dict[str, Event]:
        """The same; somebody who sees all looks at the big tenant's."""
        return self.events_of_tenant

    def _of_delivery(self, **narrowed: Any) -> Any:
        found = Delivery.objects.filter(event__tenant=self.tenant, **narrowed).order_by("-pk")
        return next((self._events.filter(pk=each.event_id).first() for each in found[:1]), None)

    def second_page_of(self, query: dict[str, str]) -> str:
        """The key of the second page of a list; empty where there is none."""
        return Listing(Selection.from_query(query), self.user).page().after or ""

    def mark_of(self, query: dict[str, str]) -> str:
        """What a list that has been open for a while knows of its newest event."""
        listing = Listing(Selection.from_query(query), self.user)
        return listing.mark(listing.page(after=listing.page().after or ""))

    # --- Failures -------------------------------------------------------------------------------

    @cached_property
    def _groups(self) -> list[SeenFailure]:
        found = failures_seen(self.user, order="occurrences")
        return [failure for failure in found if failure.standing]

    @cached_property
    def group(self) -> SeenFailure:
        """The largest; for who sees all, of all tenants."""
        return self._groups[0]

    @cached_property
    def small_group(self) -> SeenFailure:
        """The smallest in which something still stands as failed."""
        return self._groups[-1]

    # --- Replays --------------------------------------------------------------------------------

    @cached_property
    def replays(self) -> dict[str, Replay]:
        """A large one that ended, one that runs, one that is paused, one of a single event."""
        seen = visible_replays(self.user).order_by("-selected")
        found = {
            "finished": seen.filter(status="finished").first(),
            "running": seen.filter(status="running").first(),
            "paused": seen.filter(status="paused").first(),
            "single": seen.filter(status="finished", selected=1).order_by("-id").first(),
        }
        return {name: replay for name, replay in found.items() if replay}

    @cached_property
    def replays_of_tenant(self) -> dict[str, Replay]:
        """Those that the API shows."""
        of_tenant = Replay.objects.filter(tenant=self.tenant)
        ids = set(
            of_tenant.filter(pk__in=[each.pk for each in self.replays.values()]).values_list(
                "pk", flat=True
            )
        )
        return {name: replay for name, replay in self.replays.items() if replay.pk in ids}

    @cached_property
    def planned(self) -> dict[str, Replay]:
        """Plans that nobody has started, made as the console makes them."""
        selections = {
            "largest group": Selection(group=str(self.group.fingerprint)),
            "all failed": Selection(status="failed"),
        }
        made = {name: plan_for_page(each, actor=self.user) for name, each in selections.items()}
        fill_plans()
        return made

    # --- The rest -------------------------------------------------------------------------------

    @cached_property
    def line(self) -> AuditLine | None:
        """The last thing that somebody did."""
        lines = audit.visible_lines(self.user).filter(target_type="replay")
        return lines.order_by("-id").first()

    @cached_property
    def rule(self) -> AlertRule | None:
        """An alert rule that they may see."""
        return visible_rows(self.user, AlertRule).order_by("pk").first()

    @property
    def sees_all(self) -> bool:
        """Whether lists offer them a choice of tenants."""
        return bool(self.user.is_superuser)
