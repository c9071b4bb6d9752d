"""What people see of failures: the groups of all tenants that they may see, merged by fingerprint.

The number of statements does not depend on the number of groups. Counts go over indexes and stop
at `MOST_STANDING`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import and_
from typing import Any, Literal, Self
from uuid import UUID

from django.contrib.humanize.templatetags.humanize import intcomma
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Case, Count, Max, Min, Q, QuerySet, Sum, TextField, Value, When
from django.db.models.functions import Concat, Greatest
from django.utils.translation import gettext

from events.failures.fingerprints import OTHERS, masked
from events.models import FailureGroup
from events.rows import fetch_rows
from salesflow.accounts.models import Tenant, User
from salesflow.accounts.queries import visible_rows

# Failed deliveries that are counted of one failure, failures of one list, tenants of one page.
MOST_STANDING, MOST_LISTED, MOST_TENANTS = 1000, 200, 50
# A sparkline: the last 24 hours by half hours, the current one last.
SLOTS = 48

# The state of a failure at several tenants is the one that asks most of people.
STATES = [
    FailureGroup.State.OPEN,
    FailureGroup.State.ACKNOWLEDGED,
    FailureGroup.State.MUTED,
    FailureGroup.State.RESOLVED,
]
RANK = Case(*(When(state=state, then=Value(rank)) for rank, state in enumerate(STATES)))

OrderOfFailures = Literal["last_seen", "first_seen", "occurrences"]
# What came back is news as well.
ORDERS = {"last_seen": "-last", "first_seen": "-begun", "occurrences": "-total"}


@dataclass(frozen=True)
class Known:
    """What people wrote down about a failure: whose it is, and what is known."""

    owner: str = ""
    note: str = ""
    ticket_url: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """What was given last at any of the tenants that `_merged` looked at."""
        latest = {name: (row[name] or [""])[0] for name in ("owners", "notes", "links")}
        return cls(str(latest["owners"]), latest["notes"], latest["links"])

    @property
    def versions(self) -> dict[str, str]:
        """What a form carries of each field, to tell later whether it still was the same."""
        return {name: version_of(value) for name, value in vars(self).items()}


def version_of(value: str) -> str:
    """A short text that is another one for another value."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


@dataclass
class SeenFailure:
    """One way of failing, as far as its reader may see it.

    Attributes:
        occurrences: failed attempts in all.
        standing: deliveries that stand as failed now, up to `MOST_STANDING`.
        has_more: whether there are more of those than were counted.
        tenants: how many are hit.
        since: when the state was changed last.
        reopened_at: when it came back after it had been resolved; None since people decided anew.
        spark: occurrences of the last 24 hours by half hours, the current one last.
        traceback: of a recent occurrence; read for a single failure only.
    """

    fingerprint: UUID
    handler: str
    error_type: str
    frame: str
    message: str
    state: str
    occurrences: int
    tenants: int
    first_seen: datetime
    last_seen: datetime
    since: datetime
    reopened_at: datetime | None
    last_event_id: UUID | None
    owner: User | None
    known: Known
    group_ids: list[int]
    standing: int = 0
    has_more: bool = False
    spark: list[int] = field(default_factory=lambda: [0] * SLOTS)
    traceback: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any], owners: Mapping[int, User]) -> Self:
        """What `_merged` tells of one fingerprint."""
        known = Known.of(row)
        parts = {name: row[name] for name in PARTS}
        return cls(
            **parts,
            state=STATES[row["rank"]],
            occurrences=row["total"],
            tenants=row["number"],
            first_seen=row["first"],
            last_seen=row["last"],
            since=row["since"],
            reopened_at=row["came_back"],
            last_event_id=row["events"][0],
            owner=owners.get(int(known.owner)) if known.owner else None,
            known=known,
            group_ids=row["ids"],
        )

    @property
    def note(self) -> str:
        """What is known about it."""
        return self.known.note

    @property
    def ticket_url(self) -> str:
        """Where it is worked on."""
        return self.known.ticket_url

    @property
    def version(self) -> str:
        """Another one as soon as people have decided something else about it."""
        return version_of(f"{self.state} {self.known}")

    @property
    def title(self) -> str:
        """Exception and message, in one line."""
        if self.is_others:
            return gettext(OTHERS)
        kind = self.error_type.rpartition(".")[2]
        return f"{kind}: {self.message}" if self.message else kind

    @property
    def is_others(self) -> bool:
        """Whether it stands for what fails in too many ways to be told apart."""
        return not self.error_type and self.message == OTHERS

    @property
    def state_label(self) -> str:
        """The state in words."""
        return str(FailureGroup.State(self.state).label)

    @property
    def standing_label(self) -> str:
        """How many stand as failed, such as “12” or “1,000+”."""
        return f"{intcomma(self.standing)}{'+' if self.has_more else ''}"

    @property
    def has_come_back(self) -> bool:
        """Whether it is open since it was resolved in vain."""
        return self.state == FailureGroup.State.OPEN and self.reopened_at is not None


@dataclass
class TenantHit:
    """A failure at one tenant."""

    group: FailureGroup
    standing: int = 0
    has_more: bool = False

    @property
    def tenant(self) -> Tenant:
        """Whom it hits."""
        tenant: Tenant = self.group.tenant
        return tenant


# --- Reading ------------------------------------------------------------------------------------


def failures_seen(
    user: Any,
    *,
    state: str = "",
    handler: str = "",
    text: str = "",
    order: OrderOfFailures = "last_seen",
    limit: int = MOST_LISTED,
) -> list[SeenFailure]:
    """The failures of all tenants that a member of staff may see, in four statements.

    Args:
        state: of the merged failure, see `STATES`; empty: any.
        handler: empty: any.
        text: see `matching`; empty: any.
        order: the latest; what is new or came back last; or the most frequent first.
        limit: how many at most.
    """
    rows = visible_rows(user, FailureGroup)
    if handler:
        rows = rows.filter(handler=handler)
    merged = _merged(matching(rows, text) if text else rows)
    if state:
        merged = merged.filter(rank=STATES.index(FailureGroup.State(state)))
    return _read(merged.order_by(ORDERS[order], "fingerprint")[:limit])


def matching(rows: QuerySet[FailureGroup], text: str) -> QuerySet[FailureGroup]:
    """Those whose handler, exception, message and place have all words of a text in them.

    The words may stand as they are, or masked as those of messages: a line that was copied from a
    log finds its failure. Without an index: there are no more groups than a handler may make
    (`grouping.MOST_GROUPS` a tenant and week), and the list merges all of them in any case.
    """
    told = Concat(
        "handler",
        Value(" "),
        "error_type",
        Value(": "),
        "message",
        Value(" "),
        "frame",
        output_field=TextField(),
    )
    rows = rows.alias(told=told)
    as_it_stands, as_kept = (
        reduce(and_, (Q(told__icontains=word) for word in words), Q())
        for words in (text.split(), masked(text).split())
    )
    return rows.filter(as_it_stands | as_kept if masked(text) else as_it_stands)


def read_failures(rows: QuerySet[FailureGroup]) -> list[SeenFailure]:
    """The failures that these groups make, in no particular order; see `failures_seen`."""
    return _read(_merged(rows))


def known_of(rows: QuerySet[FailureGroup]) -> Known:
    """What is known of the failure that these groups make, in one statement."""
    return Known.of(_merged(rows).get())


def seen_failure(user: Any, fingerprint: UUID) -> SeenFailure:
    """One failure with a traceback, in five statements.

    Raises:
        FailureGroup.DoesNotExist: there is none that this member of staff may see.
    """
    rows = visible_rows(user, FailureGroup).filter(fingerprint=fingerprint)
    for failure in read_failures(rows):
        latest = rows.order_by("-last_seen_at").values_list("traceback", flat=True)
        failure.traceback = latest.first() or ""
        return failure
    raise FailureGroup.DoesNotExist(fingerprint)


def tenants_hit(user: Any, fingerprint: UUID) -> list[TenantHit]:
    """The visible tenants at which it fails so, the latest first, in two statements."""
    rows = visible_rows(user, FailureGroup).filter(fingerprint=fingerprint)
    groups = rows.select_related("tenant", "owner").defer("traceback").order_by("-last_seen_at")
    hits = [TenantHit(group) for group in groups[:MOST_TENANTS]]
    counts = standing_counts([[hit.group.pk] for hit in hits])
    for hit, count in zip(hits, counts, strict=True):
        hit.standing, hit.has_more = count
    return hits


def failing_handlers(user: Any) -> list[str]:
    """The handlers that have failure groups, by name."""
    rows = visible_rows(user, FailureGroup)
    return list(rows.order_by("handler").values_list("handler", flat=True).distinct())


def possible_owners(user: Any) -> QuerySet[User]:
    """Who may be given a failure by `user`: active staff that `user` may see, and themselves."""
    known = Q(pk__in=visible_rows(user, User).values("pk")) | Q(pk=user.pk)
    return User.objects.filter(known, is_active=True, is_staff=True).order_by("name", "email")


# --- Merging ------------------------------------------------------------------------------------

PARTS = ("fingerprint", "handler", "error_type", "frame", "message")


def _merged(rows: QuerySet[FailureGroup]) -> QuerySet[Any, dict[str, Any]]:
    """A row for each fingerprint; where tenants' rows differ, the latest tells."""
    merged: QuerySet[Any, dict[str, Any]] = rows.values(*PARTS).annotate(
        ids=ArrayAgg("id"),
        number=Count("id"),
        rank=Min(RANK),
        total=Sum("occurrences"),
        first=Min("first_seen_at"),
        last=Max("last_seen_at"),
        since=Max("state_changed_at"),
        came_back=Max("reopened_at"),
        begun=Greatest(Min("first_seen_at"), Max("reopened_at")),
        events=ArrayAgg("last_event_id", order_by="-last_seen_at"),
        owners=ArrayAgg("owner_id", order_by="-state_changed_at", filter=Q(owner_id__isnull=False)),
        notes=ArrayAgg("note", order_by="-state_changed_at", filter=~Q(note="")),
        links=ArrayAgg("ticket_url", order_by="-state_changed_at", filter=~Q(ticket_url="")),
    )
    return merged


def _read(merged: QuerySet[Any, dict[str, Any]]) -> list[SeenFailure]:
    rows = list(merged)
    owners = User.objects.in_bulk({row["owners"][0] for row in rows if row["owners"]})
    failures = [SeenFailure.of(row, owners) for row in rows]
    ids = [failure.group_ids for failure in failures]
    counts, lines = standing_counts(ids), sparks(ids)
    for failure, count, line in zip(failures, counts, lines, strict=True):
        (failure.standing, failure.has_more), failure.spark = count, line
    return failures


# --- Counting -----------------------------------------------------------------------------------

# Over deliveries_failed_by_group, as far as needed.
STANDING = """
    SELECT number, standing.count FROM (
        SELECT number, array_agg(id) AS ids
        FROM unnest(%(ids)s::bigint[], %(numbers)s::int[]) AS given (id, number) GROUP BY number
    ) AS failure CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            SELECT FROM unnest(failure.ids) AS one (id) CROSS JOIN LATERAL (
                SELECT FROM deliveries WHERE status = 'failed' AND group_id = one.id
                LIMIT %(most)s
            ) AS each LIMIT %(most)s
        ) AS counted
    ) AS standing
"""
# By the primary key of failure_counts.
SPARKS = """
    WITH span AS (
        SELECT date_bin('30 minutes', statement_timestamp(), 'epoch'::timestamptz)
               - (%(slots)s::int - 1) * interval '30 minutes' AS start
    ), half_hours AS (
        SELECT number, date_bin('30 minutes', bucket_at, 'epoch'::timestamptz) AS begins_at,
               sum(occurrences) AS occurrences
        FROM unnest(%(ids)s::bigint[], %(numbers)s::int[]) AS given (id, number)
        JOIN failure_counts ON group_id = given.id AND bucket_at >= (SELECT start FROM span)
        GROUP BY 1, 2
    )
    SELECT number, (extract(epoch FROM begins_at - start) / 1800)::int, occurrences
    FROM half_hours CROSS JOIN span
"""


def standing_counts(failures: Sequence[Sequence[int]]) -> list[tuple[int, bool]]:
    """How many deliveries stand as failed, and whether there are more than were counted.

    Args:
        failures: the groups' ids of each failure.
    """
    counts = dict(_numbered(STANDING, failures, most=MOST_STANDING + 1))
    found = [counts.get(number, 0) for number in range(len(failures))]
    return [(min(count, MOST_STANDING), count > MOST_STANDING) for count in found]


def sparks(failures: Sequence[Sequence[int]]) -> list[list[int]]:
    """The occurrences of the last 24 hours by half hours; see `standing_counts`."""
    lines = [[0] * SLOTS for _failure in failures]
    for number, slot, occurrences in _numbered(SPARKS, failures, slots=SLOTS):
        # The clock may have gone on to the next half hour since it was counted.
        if 0 <= slot < SLOTS:
            lines[number][slot] += occurrences
    return lines


def _numbered(statement: str, failures: Sequence[Sequence[int]], **values: int) -> list[Any]:
    """The rows of a statement about groups, by the place of their failure."""
    pairs = [(id_, number) for number, ids in enumerate(failures) for id_ in ids]
    if not pairs:
        return []
    ids, numbers = zip(*pairs, strict=True)
    return fetch_rows(statement, {"ids": list(ids), "numbers": list(numbers), **values})
