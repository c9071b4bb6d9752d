"""Progress: how far a replay has come, told from its own row whatever the number of its items."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.humanize.templatetags.humanize import intcomma
from django.contrib.postgres.fields import ArrayField
from django.db.models import Func, JSONField, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from events import breakers, ordering, pauses
from events.models import Delivery, FailureGroup, Replay, ReplayItem
from events.models.replay import note_label
from events.rows import fetch_rows
from events.selections import Selection
from salesflow.accounts.queries import visible_tenant_ids

ItemStatus = ReplayItem.Status
# How many items a look at what fails, waits, or is new reads at most.
MOST_READ = 2000

FAILED_IN = """
    SELECT deliveries.group_id, item.came_back, count(*) FROM (
        SELECT * FROM replay_items WHERE replay_id = %(replay)s AND status = 'failed'
        ORDER BY id LIMIT %(most)s
    ) AS item JOIN deliveries
      ON deliveries.event_id = coalesce(item.correction_id, item.event_id)
      AND deliveries.replay_id = item.replay_id AND deliveries.status = 'failed'
    WHERE deliveries.group_id IS NOT NULL GROUP BY 1, 2
"""
# What waits for the event before it has no time for its next attempt, see `events.ordering`.
WAITS_AT = """
    SELECT deliveries.handler, CASE
               WHEN next_attempt_at IS NULL AND due_at > statement_timestamp() THEN 'order'
               WHEN deliveries.failures > 0 THEN 'retry'
               ELSE ''
           END AS why, count(*), min(next_attempt_at), min(deliveries.error)
    FROM (
        SELECT * FROM replay_items WHERE replay_id = %(replay)s AND status = 'released'
        ORDER BY id LIMIT %(most)s
    ) AS item JOIN deliveries
      ON deliveries.event_id = coalesce(item.correction_id, item.event_id)
      AND deliveries.replay_id = item.replay_id AND deliveries.status = 'pending'
    JOIN events ON events.id = deliveries.event_id
    GROUP BY 1, 2 ORDER BY 1, 2
"""
# Of the newest that stand in the groups that the selection meant.
NEW_FAILURES = """
    SELECT count(*) FILTER (WHERE NOT EXISTS (
        SELECT FROM replay_items AS item
        WHERE item.replay_id = %(replay)s AND item.event_id = failed.event_id
    )), count(*) FROM (
        SELECT event_id FROM deliveries
        WHERE group_id = ANY(%(groups)s) AND status = 'failed'
        ORDER BY event_id DESC LIMIT %(most)s
    ) AS failed
"""


class Without(Func):
    """A JSON object without some of its keys."""

    template = "(%(expressions)s)"
    arg_joiner = " - "
    output_field = JSONField()


def visible_replays(user: Any) -> QuerySet[Replay]:
    """A tenant's replays to its staff; one that spans tenants to superusers, and to who made it as
    long as they may see all of these tenants."""
    if user.is_superuser:
        return Replay.objects.all()
    visible = visible_tenant_ids(user)
    names = Value([str(tenant_id) for tenant_id in visible], ArrayField(TextField()))
    frozen = Coalesce(KT("plan__tenants"), Value("{}"))
    mine = Q(tenant=None, actor_id=user.pk, beyond={})
    rows = Replay.objects.alias(beyond=Without(Cast(frozen, JSONField()), names))
    return rows.filter(Q(tenant__in=visible) | mine)


def progress_of(replay: Replay) -> dict[str, int]:
    """How many items of the replay are in which status, by now."""
    row = Replay.objects.filter(pk=replay.pk).first() or replay
    return counts_of(row)


def counts_of(replay: Replay) -> dict[str, int]:
    """The same, as the row says that was read."""
    unanswered = replay.released - replay.succeeded - replay.failed
    waiting = replay.selected - replay.released - replay.skipped
    if replay.status == Replay.Status.FINISHED:
        unanswered = waiting = 0
    return {
        ItemStatus.WAITING: max(0, waiting),
        ItemStatus.RELEASED: max(0, unanswered),
        ItemStatus.SUCCEEDED: replay.succeeded,
        ItemStatus.FAILED: replay.failed,
        ItemStatus.SKIPPED: replay.skipped,
    }


def skipped_in(replay: Replay) -> dict[str, int]:
    """Why a replay passed events over, in the reader's language → how many."""
    told: Counter[str] = Counter()
    for note, number in sorted(replay.skipped_because.items()):
        told[note_label(note)] += number
    return dict(told)


# --- Speed --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Speed:
    """How fast a running replay is.

    Attributes:
        done: answered or skipped by then.
        per_second: of late; None where nothing is known yet.
        seconds_left: until all have answered, if it goes on so.
        mark: what the next look hands in as `since`.
    """

    done: int
    per_second: float | None
    seconds_left: float | None
    mark: str


def speed_of(replay: Replay, since: str = "", now: datetime | None = None) -> Speed:
    """How fast the replay is, since an earlier look, else since it was started.

    Args:
        since: the `mark` of an earlier look; anything else is passed over.
        now: the database's time; by default it is asked.
    """
    now = now or fetch_rows("SELECT statement_timestamp()", {})[0][0]
    counts = counts_of(replay)
    left = counts[ItemStatus.WAITING] + counts[ItemStatus.RELEASED]
    done = replay.selected - left
    before, at = _mark(since) or (0, replay.started_at.timestamp() if replay.started_at else 0.0)
    seconds = now.timestamp() - at
    usable = before <= done and seconds > 0.5
    per_second = (done - before) / seconds if usable and at else None
    keeps = since and _mark(since) and seconds < LOOK_BACK
    return Speed(
        done,
        per_second,
        _seconds_left(left, counts[ItemStatus.WAITING], per_second, replay.pace),
        since if keeps else f"{done}:{now.timestamp():.1f}",
    )


def _seconds_left(
    left: int, waiting: int, per_second: float | None, pace: int | None
) -> float | None:
    """If it goes on so; what a pace holds back takes the time that the pace gives it."""
    if not per_second:
        return None
    return max(left / per_second, waiting / pace if pace else 0.0)


# Seconds over which the speed of late is taken.
LOOK_BACK = 10.0


def _mark(text: str) -> tuple[int, float] | None:
    done, colon, at = text.partition(":")
    try:
        return (int(done), float(at)) if colon else None
    except ValueError:
        return None


# --- What fails, what waits ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Counted:
    """How many there are, as far as they were read; whether there are more."""

    number: int
    has_more: bool = False

    @property
    def label(self) -> str:
        """Such as “12” or “2,000+”."""
        return f"{intcomma(self.number)}{'+' if self.has_more else ''}"


@dataclass(frozen=True, kw_only=True)
class FailedAgain(Counted):
    """Failures of a replay that have one cause.

    Attributes:
        came_back: of how many it is the failure that they had before.
    """

    group: FailureGroup
    came_back: int


def failed_again(replay: Replay, groups: QuerySet[FailureGroup]) -> list[FailedAgain]:
    """What a replay's failed events failed of, the most frequent first; of MOST_READ of them.

    Args:
        groups: what the reader may see; of several tenants' that are alike one is named.
    """
    rows = fetch_rows(FAILED_IN, {"replay": replay.id, "most": MOST_READ})
    known = groups.in_bulk([group_id for group_id, _came_back, _number in rows])
    named: dict[UUID, FailureGroup] = {}
    numbers: Counter[UUID] = Counter()
    back: Counter[UUID] = Counter()
    for group_id, came_back, number in rows:
        if group := known.get(group_id):
            named.setdefault(group.fingerprint, group)
            numbers[group.fingerprint] += number
            back[group.fingerprint] += number if came_back else 0
    has_more = replay.failed > MOST_READ
    return [
        FailedAgain(number=number, has_more=has_more, group=named[key], came_back=back[key])
        for key, number in numbers.most_common()
    ]


@dataclass(frozen=True, kw_only=True)
class Waiting(Counted):
    """Released events whose handler has not come to an end with them.

    Attributes:
        why: "paused", "breaker", "order" behind another event of the subject, "retry" after a first
            failure, or "" where they are just due.
        until: the earliest time of the next attempt, if that is known.
        behind: an event that one of them waits for.
    """

    handler: str
    why: str
    until: datetime | None
    behind: UUID | None


def waits_of(replay: Replay) -> list[Waiting]:
    """At which handlers a replay's released events wait, and why; of MOST_READ of them."""
    rows = fetch_rows(WAITS_AT, {"replay": replay.id, "most": MOST_READ})
    if not rows:
        return []
    paused = pauses.paused_handlers()
    refused = breakers.refused({row[0] for row in rows})
    has_more = counts_of(replay)[ItemStatus.RELEASED] > MOST_READ
    return [
        Waiting(
            number=number,
            has_more=has_more,
            handler=handler,
            why="paused" if handler in paused else "breaker" if handler in refused else why,
            until=until,
            behind=ordering.blocker_in(error) if why == "order" else None,
        )
        for handler, why, number, until, error in rows
    ]


def new_failures(replay: Replay, groups: QuerySet[FailureGroup]) -> Counted:
    """How many events stand failed as those that the replay selected by group, but outside of it.

    Counted among the newest MOST_READ of the groups.

    Args:
        groups: what the reader may see.
    """
    fingerprint = Selection.from_json(replay.selection).group
    if not fingerprint:
        return Counted(number=0)
    meant = groups.filter(fingerprint=fingerprint)
    meant = meant.filter(tenant_id=replay.tenant_id) if replay.tenant_id else meant
    values = {
        "replay": replay.id,
        "most": MOST_READ,
        "groups": list(meant.values_list("pk", flat=True)),
    }
    [(number, read)] = fetch_rows(NEW_FAILURES, values)
    return Counted(number=number, has_more=read == MOST_READ)


# --- Items --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What came of one item, as far as the reader may see its event."""

    item: ReplayItem
    event: Any
    error: str


def outcomes(items: list[ReplayItem], events: QuerySet[Any]) -> list[Outcome]:
    """The items with their events and, of failed ones, what failed; three queries at most.

    Args:
        events: what the reader may see.
    """
    ids = {item.correction_id or item.event_id for item in items} | {i.event_id for i in items}
    known: Mapping[UUID, Any] = {event.pk: event for event in events.filter(pk__in=ids)}
    errors = _errors_of([item for item in items if item.status == ItemStatus.FAILED])
    return [
        Outcome(item, known.get(item.event_id), _error_of(item, known, errors)) for item in items
    ]


def _errors_of(failed: list[ReplayItem]) -> dict[UUID, str]:
    ids = [item.correction_id or item.event_id for item in failed]
    if not ids:
        return {}
    deliveries = Delivery.objects.filter(event_id__in=ids, status="failed").order_by("-pk")
    rows = deliveries.values_list("event_id", "handler", "error")
    return {event_id: f"{handler}: {error}" for event_id, handler, error in rows}


def _error_of(item: ReplayItem, known: Mapping[UUID, Any], errors: dict[UUID, str]) -> str:
    event_id = item.correction_id or item.event_id
    return errors.get(event_id, "") if event_id in known else ""
