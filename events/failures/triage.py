"""What people decide about a failure: seen, not of interest, mended, whose it is, what is known.

Each verb acts on all rows of a fingerprint that the caller may act on, holds them while it looks at
their state, and leaves one audit line. Who comes second changes nothing and is told so; that they
tried is in the audit too.

Who writes says what they saw, as `Known.versions` has it: what somebody else has changed meanwhile
is not overwritten, and what they left as they saw it is not written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, URLValidator
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from events import audit
from events.failures.queries import known_of, read_failures, version_of
from events.journal import limit_transaction
from events.models import FailureGroup
from salesflow.accounts.models import User
from salesflow.accounts.queries import visible_rows, visible_tenant_ids

State = FailureGroup.State
Groups = QuerySet[FailureGroup]
Seen = Mapping[str, str]
"""Field → version of what somebody saw there before they wrote."""

LONGEST_NOTE, LONGEST_ADDRESS = 10_000, 200
ADDRESS_CHECKS: list[Callable[[str], object]] = [
    URLValidator(["http", "https"]),
    MaxLengthValidator(LONGEST_ADDRESS),
]
# The kind of target that audit lines about a failure name, with its fingerprint.
TARGET = "failuregroup"
# From which states each one is reached; to reopen is to begin anew.
REACHED_FROM = {
    State.ACKNOWLEDGED: [State.OPEN, State.MUTED],
    State.MUTED: [State.OPEN, State.ACKNOWLEDGED],
    State.RESOLVED: [State.OPEN, State.ACKNOWLEDGED, State.MUTED],
    State.OPEN: [State.ACKNOWLEDGED, State.MUTED, State.RESOLVED],
}
ACTIONS = {
    State.ACKNOWLEDGED: "failure.acknowledged",
    State.MUTED: "failure.muted",
    State.RESOLVED: "failure.resolved",
    State.OPEN: "failure.reopened",
}


@dataclass(frozen=True)
class Triaged:
    """What came of a verb.

    Attributes:
        changed: at how many tenants it changed something.
        state: in which the failure is now, where all tenants agree.
        conflicts: the fields that somebody else has changed since; then nothing is changed.
    """

    changed: int
    state: str
    conflicts: tuple[str, ...] = ()

    @property
    def came_too_late(self) -> bool:
        """Whether somebody else had done it before."""
        return not self.changed


class Stale(Exception):
    """A failure is not any more what somebody saw before they decided about it."""


# --- State --------------------------------------------------------------------------------------


def acknowledge(
    user: User | None, fingerprint: UUID, note: str = "", *, rows: Groups | None = None
) -> Triaged:
    """Say that somebody has seen it and is at it; see `change_state`."""
    return change_state(State.ACKNOWLEDGED, user, fingerprint, note, rows=rows)


def mute(
    user: User | None, fingerprint: UUID, note: str = "", *, rows: Groups | None = None
) -> Triaged:
    """Say that it is known and of no interest: it stays so however often it happens."""
    return change_state(State.MUTED, user, fingerprint, note, rows=rows)


def resolve(
    user: User | None, fingerprint: UUID, note: str = "", *, rows: Groups | None = None
) -> Triaged:
    """Say that it is mended: should it happen again, it opens by itself and says so."""
    return change_state(State.RESOLVED, user, fingerprint, note, rows=rows)


def reopen(
    user: User | None, fingerprint: UUID, note: str = "", *, rows: Groups | None = None
) -> Triaged:
    """Begin anew; see `change_state`."""
    return change_state(State.OPEN, user, fingerprint, note, rows=rows)


def change_state(
    state: str,
    user: User | None,
    fingerprint: UUID,
    note: str = "",
    *,
    rows: Groups | None = None,
) -> Triaged:
    """Give a failure a state, at all tenants where it can be reached from the present one.

    Args:
        user: who decides; None is somebody behind an API key.
        note: kept with the failure in place of the one before, and in the audit; empty: neither.
        rows: what the caller may act on; by default what the user sees in the console.

    Raises:
        FailureGroup.DoesNotExist: there is no such failure among them.
        ValidationError: the note is too long.
    """
    target = State(state)
    note = _checked_note(note)
    with _held(user, fingerprint, rows) as groups:
        before = sorted({group.state for group in groups})
        changed = [group.pk for group in groups if group.state in REACHED_FROM[target]]
        values = {"note": note} if note else {}
        found = FailureGroup.unscoped.filter(pk__in=changed)
        found.update(state=target, state_changed_at=Now(), reopened_at=None, **values)
        fields = list(values) if changed else []
        _record(ACTIONS[target], groups, changed, user, note, before=before, fields=fields)
    after = {target if group.pk in changed else group.state for group in groups}
    return Triaged(len(changed), after.pop() if len(after) == 1 else "")


def change_states(state: str, user: User, fingerprints: Iterable[UUID]) -> int:
    """Lead several failures to a state, each with a line of its own; see `change_state`.

    Returns:
        How many have changed; what the user does not see is passed over.
    """
    groups = visible_rows(user, FailureGroup).filter(fingerprint__in=set(fingerprints))
    with transaction.atomic():
        limit_transaction()
        # All at once, so that two who do so, and workers, never wait for each other in a circle.
        rows = groups.order_by("pk").select_for_update(no_key=True)
        held = dict.fromkeys(rows.values_list("fingerprint", flat=True))
        return sum(bool(change_state(state, user, each).changed) for each in held)


# --- What is known ------------------------------------------------------------------------------


def assign(
    user: User | None,
    fingerprint: UUID,
    owner: User | None,
    *,
    rows: Groups | None = None,
    seen: Seen = MappingProxyType({}),
) -> Triaged:
    """Make it somebody's, at the tenants that they may see, or nobody's.

    Raises:
        FailureGroup.DoesNotExist: as `change_state`.
        ValidationError: the owner is none of the staff, or sees none of the tenants that are hit.
    """
    with _held(user, fingerprint, rows) as groups:
        visible = [group for group in groups if owner is None or _may_own(owner, group)]
        if not visible:
            raise ValidationError(
                {"owner": _("%(name)s does not see this failure.") % {"name": owner}}
            )
        values = _given(groups, {"owner": str(owner.pk) if owner else ""}, seen)
        changed = [] if values.conflicts else _differing(visible, {"owner_id": owner and owner.pk})
        FailureGroup.unscoped.filter(pk__in=changed).update(owner=owner)
        name = str(owner) if owner else ""
        _record("failure.assigned", groups, changed, user, owner=name, **values.told(changed))
    return Triaged(len(changed), "", values.conflicts)


def annotate(
    user: User | None,
    fingerprint: UUID,
    note: str | None = None,
    ticket_url: str | None = None,
    *,
    rows: Groups | None = None,
    seen: Seen = MappingProxyType({}),
) -> Triaged:
    """Write down what is known, or where it is worked on; None leaves what is there.

    Raises:
        FailureGroup.DoesNotExist: as `change_state`.
        ValidationError: the note is too long, or the address is none of the web.
    """
    given = {"note": _checked_note(note), "ticket_url": _checked_address(ticket_url)}
    with _held(user, fingerprint, rows) as groups:
        values = _given(groups, {k: v for k, v in given.items() if v is not None}, seen)
        changed = [] if values.conflicts else _differing(groups, values.fields)
        FailureGroup.unscoped.filter(pk__in=changed).update(**values.fields)
        reason = values.fields.get("note", "")
        link = {"ticket_url": ticket_url} if "ticket_url" in values.fields else {}
        told = values.told(changed)
        _record("failure.annotated", groups, changed, user, reason, **told, **link)
    return Triaged(len(changed), "", values.conflicts)


def refuse_stale(user: User | None, fingerprint: UUID, version: str, *, rows: Groups) -> None:
    """Hold a failure until the caller's transaction ends, if it still is what somebody saw.

    Args:
        version: of the failure that they saw, see `SeenFailure.version`.

    Raises:
        FailureGroup.DoesNotExist: as `change_state`.
        Stale: somebody has decided something else about it since.
    """
    with _held(user, fingerprint, rows) as groups:
        [now] = read_failures(_rows_of(groups))
        if now.version != version:
            raise Stale


# --- What somebody saw --------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """What somebody wants to write.

    Attributes:
        fields: without those that they left as they saw them.
        conflicts: those of them that somebody else has changed meanwhile.
    """

    fields: dict[str, str]
    conflicts: tuple[str, ...]

    def told(self, changed: list[int]) -> dict[str, Any]:
        """What the audit line says of it."""
        conflict = {"conflicts": list(self.conflicts)} if self.conflicts else {}
        fields = list(self.fields) if changed else []
        return {"fields": fields, **conflict}


def _given(groups: Sequence[FailureGroup], values: dict[str, str], seen: Seen) -> Given:
    fields = {name: each for name, each in values.items() if version_of(each) != seen.get(name)}
    if not fields.keys() & seen.keys():
        return Given(fields, ())
    now = known_of(_rows_of(groups)).versions
    conflicts = [
        name
        for name, value in fields.items()
        if name in seen and now[name] not in (seen[name], version_of(value))
    ]
    return Given(fields, tuple(conflicts))


def _differing(groups: Sequence[FailureGroup], values: dict[str, Any]) -> list[int]:
    """The ids of those at which one of the values is another one."""
    return [
        group.pk
        for group in groups
        if any(getattr(group, name) != value for name, value in values.items())
    ]


def _rows_of(groups: Sequence[FailureGroup]) -> Groups:
    return FailureGroup.unscoped.filter(pk__in=[group.pk for group in groups])


# --- How ----------------------------------------------------------------------------------------


@contextmanager
def _held(
    user: User | None, fingerprint: UUID, rows: Groups | None
) -> Iterator[Sequence[FailureGroup]]:
    """The failure's rows, held until the block has ended: in the order in which workers do."""
    if rows is None:
        assert user is not None, "without a user, say which rows are meant"
        rows = visible_rows(user, FailureGroup)
    with transaction.atomic():
        limit_transaction()
        found = rows.filter(fingerprint=fingerprint).select_related("tenant").defer("traceback")
        groups = list(found.order_by("pk").select_for_update(no_key=True, of=("self",)))
        if not groups:
            raise FailureGroup.DoesNotExist(fingerprint)
        yield groups


def _record(
    action: str,
    groups: Sequence[FailureGroup],
    changed: list[int],
    user: User | None,
    note: str = "",
    **details: Any,
) -> None:
    """One line; where several tenants are concerned, those at which something changed have a part.

    Args:
        changed: the ids of the groups at which it did.
    """
    one = groups[0]
    told = {"handler": one.handler, "error": one.error_type, "changed": len(changed), **details}
    line = audit.record(
        action,
        (TARGET, str(one.fingerprint)),
        actor=user,
        tenant=one.tenant if len(groups) == 1 else None,
        reason=note,
        details=told,
    )
    if line.tenant is None:
        parts = [group for group in groups if group.pk in changed]
        audit.record_parts(line, {group.tenant_id: told | _part(group, told) for group in parts})


def _part(group: FailureGroup, told: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of all tenants' groups, of one of them alone."""
    return {"changed": 1} | ({"before": [group.state]} if "before" in told else {})


def _may_own(owner: User, group: FailureGroup) -> bool:
    sees = owner.is_superuser or group.tenant_id in visible_tenant_ids(owner)
    return owner.is_active and owner.is_staff and sees


def _checked_note(note: str | None) -> Any:
    if note is None:
        return None
    if len(note) > LONGEST_NOTE:
        raise ValidationError({"note": _("At most %(most)d characters.") % {"most": LONGEST_NOTE}})
    if "\x00" in note:
        raise ValidationError({"note": _("Null characters are not allowed.")})
    return note.strip()


def _checked_address(address: str | None) -> Any:
    """The address, if a page may link to it."""
    if not address:
        return address
    try:
        for check in ADDRESS_CHECKS:
            check(address)
    except ValidationError as error:
        raise ValidationError({"ticket_url": error.messages}) from None
    return address
