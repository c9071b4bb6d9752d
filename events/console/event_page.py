"""One event: what it says, what its handlers did, where it came from, what can be done."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db.models import Case, F, QuerySet, TextField, Value, When
from django.db.models.functions import Concat, Left, Length, Right
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property

from events import registry
from events.console.addresses import GIVE_UP, plan_url
from events.console.commands import commands_of
from events.console.moments import moment
from events.console.pages import console_page
from events.console.payloads import shown_payload, whole_payload
from events.console.permissions import VIEW, require
from events.console.related import corrections_around, first_of, same_request, tree_of
from events.console.tracebacks import Raised, read_traceback
from events.corrections.previewing import comparisons_of
from events.models import Attempt, Delivery, DeliveryStatus, Event, FailureGroup, Replay
from events.models.delivery import UNTIL_RESUMED
from events.replays.progress import visible_replays
from events.selections import Selection
from salesflow.accounts.models import User
from salesflow.accounts.queries import visible_rows

# Attempts of an event's deliveries, the last first; characters of each end of a long traceback.
ATTEMPTS_SHOWN, END_SHOWN = 60, 20_000


def event_page(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """The page of a visible event."""
    event = visible_event(request, event_id)
    rows = _delivery_rows(event, request.user)
    payload = shown_payload(event)
    failed = [row.delivery.handler for row in rows if row.has_failed]
    selection = Selection(ids=(event.pk,))
    # What was given up can be ticked in a plan of all that its handlers have done.
    is_given_up = not failed and any(row.given_up for row in rows)
    chosen = replace(selection, status=event.status if is_given_up else "")
    pasted = "" if payload.is_cut else payload.text
    return console_page(
        request,
        "admin/events/event/page.html",
        title=event.type_label,
        event=event,
        rows=rows,
        is_parked=event.due_at >= UNTIL_RESUMED,
        failure=next((row for row in rows if row.tells_failure), None),
        payload=payload,
        tree=tree_of(event),
        same_request=first_of(same_request(event)),
        comparisons=comparisons_of(event, corrections_around(event)),
        replays=_replays_of(rows, request.user),
        commands=commands_of(event, failed, pasted, request),
        replay_url=plan_url(chosen),
        give_up_url=plan_url(selection, GIVE_UP) if failed else "",
        edit_url=reverse("admin:events_event_correct", args=[event.pk]) if failed else "",
    )


def payload_file(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """The whole payload as a file, with what is masked masked."""
    event = visible_event(request, event_id)
    name = f'attachment; filename="event-{event_id}.json"'
    text = whole_payload(event)
    return HttpResponse(text, "application/json", headers={"Content-Disposition": name})


def visible_event(request: HttpRequest, event_id: UUID) -> Event:
    """The event without its payload.

    Raises:
        PermissionDenied: the user may not see events.
        Http404: there is no such event, or it is another tenant's.
    """
    require(request, VIEW)
    events = visible_rows(request.user, Event).select_related("tenant", "actor").defer("payload")
    event = events.filter(pk=event_id).first()
    if event is None:
        raise Http404
    return event


# --- Deliveries ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Try:
    """An attempt, and what its traceback says first."""

    attempt: Attempt
    text: str

    @cached_property
    def raised(self) -> list[Raised]:
        """The exceptions with the project's own frames, the one that got away first."""
        return read_traceback(self.text)


@dataclass(frozen=True)
class GivenUp:
    """A person's decision that a failure is not mended.

    Attributes:
        who: None is somebody behind an API key or a command.
        moment: as the page writes it.
        why: empty where it may be another tenant's business.
    """

    who: User | None
    moment: str
    why: str


@dataclass(frozen=True)
class DeliveryRow:
    """A delivery, as the page shows it.

    Attributes:
        group: the failures that are like its last one, where they were grouped.
        given_up: by whom, if somebody has given its failure up.
    """

    delivery: Delivery
    tries: list[Try] = field(default_factory=list)
    group: FailureGroup | None = None
    given_up: GivenUp | None = None

    @property
    def handler(self) -> registry.Handler | None:
        """What the handler declares, if an installed app has it."""
        return registry.get_handler(self.delivery.handler)

    @property
    def has_failed(self) -> bool:
        """Whether its handler gave up, and it stands so."""
        return self.delivery.status == DeliveryStatus.FAILED

    @property
    def tells_failure(self) -> bool:
        """Whether it is what the page's error is about."""
        return bool(self.delivery.error and self.tries and not self.given_up)

    @property
    def is_parked(self) -> bool:
        """Whether it waits for its handler to be resumed."""
        return self.delivery.waits_for_resume


def _delivery_rows(event: Event, user: Any) -> list[DeliveryRow]:
    deliveries = list(Delivery.objects.filter(event=event).order_by("pk"))
    tries = _tries_of(deliveries)
    ids = [delivery.group_id for delivery in deliveries if delivery.group_id]
    groups = FailureGroup.unscoped.filter(tenant_id=event.tenant_id).in_bulk(ids) if ids else {}
    given_up = _given_up(deliveries, user)
    return [
        DeliveryRow(
            each, tries[each.pk], groups.get(each.group_id or 0), given_up.get(each.replay_id)
        )
        for each in deliveries
    ]


def _given_up(deliveries: list[Delivery], user: Any) -> dict[UUID | None, GivenUp]:
    """Id of a replay that gave some of them up → what it tells the user."""
    skipped = [each for each in deliveries if each.status == DeliveryStatus.SKIPPED]
    ids = {each.replay_id for each in skipped if each.replay_id}
    if not ids:
        return {}
    readable = set(visible_replays(user).filter(pk__in=ids).values_list("pk", flat=True))
    found = Replay.objects.filter(pk__in=ids, kind=Replay.Kind.GIVE_UP).select_related("actor")
    return {
        each.pk: GivenUp(
            each.actor,
            moment(each.started_at or each.created_at),
            each.reason if each.pk in readable else "",
        )
        for each in found
    }


def _tries_of(deliveries: list[Delivery]) -> dict[int, list[Try]]:
    """The last attempts of some deliveries, by delivery."""
    attempts: QuerySet[Attempt] = Attempt.objects.filter(delivery__in=deliveries)
    found = attempts.defer("traceback").annotate(length=Length("traceback"), text=_ENDS)
    by_delivery = defaultdict[int, list[Try]](list)
    for each in found.order_by("-started_at", "-number")[:ATTEMPTS_SHOWN]:
        by_delivery[each.delivery_id].append(Try(each, each.text))
    return by_delivery


# A traceback without its middle, where it is long: what began it, and what was raised last.
_ENDS = Case(
    When(length__lte=2 * END_SHOWN, then=F("traceback")),
    default=Concat(Left("traceback", END_SHOWN), Value("\n…\n"), Right("traceback", END_SHOWN)),
    output_field=TextField(),
)


def _replays_of(rows: list[DeliveryRow], user: Any) -> list[Replay]:
    """The replays that ran one of the handlers again, as their attempts tell."""
    tries = [each.attempt.replay_id for row in rows for each in row.tries]
    ids = {id_ for id_ in [*tries, *(row.delivery.replay_id for row in rows)] if id_}
    return list(visible_replays(user).filter(pk__in=ids).order_by("-id")) if ids else []
