"""Replaying from the admin: what was selected, the plan that is confirmed, and the start."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldBooleanWidget

from events import registry
from events.admin_pages import count_up_to
from events.models import Delivery, DeliveryStatus, Event, EventStatus, Replay
from events.replays import start_replay
from salesflow.accounts.models import Tenant
from salesflow.accounts.queries import visible_rows

IDS = "ids"
MOST_IDS = 200


class ReplayForm(forms.Form):
    """Why, with external effects or without, and up to which failure."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        strip=True,
        help_text=gettext_lazy("Stays on record: what was broken, and what was mended."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "autofocus": True}),
    )
    include_external = forms.BooleanField(
        label=gettext_lazy("Also run handlers with external effects"),
        required=False,
        help_text=gettext_lazy("Messages may go out to customers a second time."),
        widget=UnfoldBooleanWidget,
    )
    as_of = forms.CharField(widget=forms.HiddenInput, required=False)

    def clean_as_of(self) -> datetime | None:
        """The last failure that the plan showed."""
        given = self.cleaned_data["as_of"]
        try:
            moment = parse_datetime(given) if given else None
        except ValueError:
            moment = None
        if given and (moment is None or moment.tzinfo is None):
            raise ValidationError(_("This is no date and time with a zone."))
        return moment


@dataclass(frozen=True)
class HandlerPlan:
    """What a replay means to one handler."""

    name: str
    failed: int
    is_external: bool
    is_installed: bool
    is_skipped: bool


@dataclass(frozen=True)
class Plan:
    """What a replay of a selection would run, and what it would leave out.

    Attributes:
        to_replay: how many failed events the selection holds; exact.
        as_of: when the last of them failed: what fails later was not shown, and stays out.
        left_out: status → how many other events are in the selection, counted up to 10,000.
    """

    to_replay: int
    as_of: datetime | None
    left_out: dict[str, str]
    types: list[tuple[str, int]] = field(default_factory=list)
    handlers: list[HandlerPlan] = field(default_factory=list)


def selection_of(request: HttpRequest, model_admin: Any) -> QuerySet[Event]:
    """The visible events that the address names: by `ids`, or by the list's filters and search.

    Raises:
        IncorrectLookupParameters: malformed or too many ids.
    """
    if IDS not in request.GET:
        changelist = model_admin.get_changelist_instance(request)
        selection: QuerySet[Event] = changelist.get_queryset(request)
        return selection
    try:
        ids = [UUID(given) for given in request.GET[IDS].split(",")]
    except ValueError:
        raise IncorrectLookupParameters(IDS) from None
    if len(ids) > MOST_IDS:
        raise IncorrectLookupParameters(IDS)
    return visible_rows(request.user, Event).filter(pk__in=ids)


def plan_of(selection: QuerySet[Event]) -> Plan:
    """What a replay of `selection` would do."""
    failed = selection.filter(status=EventStatus.FAILED).order_by()
    found = failed.aggregate(to_replay=Count("pk"), as_of=Max("processed_at"))
    types = failed.values_list("type").annotate(number=Count("pk")).order_by("-number", "type")
    others = [EventStatus.PROCESSED, EventStatus.PENDING]
    counts = {status.label: count_up_to(selection.filter(status=status)) for status in others}
    return Plan(
        **found,
        left_out={str(label): count for label, count in counts.items() if count != "0"},
        types=list(types),
        handlers=_handlers_of(failed),
    )


def _handlers_of(failed: QuerySet[Event]) -> list[HandlerPlan]:
    deliveries = Delivery.objects.filter(
        status=DeliveryStatus.FAILED, event_id__in=failed.values("pk")
    )
    counts = deliveries.order_by("handler").values_list("handler").annotate(Count("pk"))
    return [_handler_plan(name, number) for name, number in counts]


def _handler_plan(name: str, failed: int) -> HandlerPlan:
    handler = registry.get_handler(name)
    return HandlerPlan(
        name,
        failed,
        is_external=bool(handler and handler.is_external),
        is_installed=handler is not None,
        is_skipped=bool(handler and handler.on_replay == "skip"),
    )


def start(selection: QuerySet[Event], form: ReplayForm, actor: Any) -> Replay | None:
    """Replay the failed events of the selection, none that failed after the plan was shown.

    Returns:
        The replay; None when nothing of what was shown is left to replay.
    """
    given = form.cleaned_data
    if given["as_of"] is None:
        return None
    events = selection.filter(status=EventStatus.FAILED, processed_at__lte=given["as_of"])
    tenants = list(events.order_by().values_list("tenant", flat=True).distinct()[:2])
    if not tenants:
        return None
    return start_replay(
        events,
        reason=given["reason"],
        include_external=given["include_external"],
        actor=actor,
        tenant=Tenant.objects.get(pk=tenants[0]) if len(tenants) == 1 else None,
    )


def started_message(replay: Replay) -> str:
    """What is said when a replay was started."""
    text = ngettext(
        "The replay of %d event has started.",
        "The replay of %d events has started.",
        replay.selected,
    )
    return text % replay.selected
