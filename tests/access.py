"""Trying what one may not: attempts that work for who may, and what they leave behind.

A refusal proves something only where the same request works for somebody: each attempt is first
made, and undone, by who may make it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from events.models import AlertRule, AuditLine, Delivery, Event, EventStatus, FailureGroup, Replay
from events.pauses import pause_handler
from events.permissions import NAMES
from events.publishing import Draft, publish_many
from events.replays import pause, plan_replay, start
from events.rows import fetch_rows
from events.selections import Selection
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant, User
from tests.events.alert_factories import make_group, make_rule
from tests.events.payloads import AccountOpened
from tests.factories import make_tenant, make_user

TYPE = "account.opened"
# Stands in everything that acme has; and what not even acme's people are shown.
SECRET, MASKED = "what-acme-keeps-to-itself", "what-nobody-is-shown"
PATCH = [{"op": "set", "path": "/owner", "value": "somebody else"}]
REPLAY, CORRECTION = Replay.Kind.REPLAY, Replay.Kind.CORRECTION
GIVE_UP = Replay.Kind.GIVE_UP

EVERYTHING = [name.partition(".")[2] for name in NAMES] + [
    f"{verb}_alertrule" for verb in ("view", "add", "change", "delete")
]
# Who may do this may also look.
IMPLIED = {"view_alertrule": {"change_alertrule"}}
# In the place of permissions: what none of them allows.
SUPERUSER, NOBODY = ("superuser",), ("nobody",)


# --- What there is ------------------------------------------------------------------------------


class Acme:
    """A tenant with one row of everything, and the replays that somebody asks for.

    Attributes:
        event: it failed at `greet`, and at `mails`, whose effects leave the database.
    """

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        with tenant_context(tenant):
            self.group: FailureGroup = make_group(
                tenant, handler="greet", message=SECRET, traceback=SECRET
            )
            self.event = self._failed_event()
        address = {"webhook_url": "https://hooks.example.com/", "webhook_secret": "whsec_b2xk"}
        self.rule: AlertRule = make_rule(tenant=tenant, name=SECRET, **address)
        self.line: AuditLine = AuditLine.objects.create(
            tenant=tenant, action="event.looked_at", target_type="event", reason=SECRET
        )

    def _failed_event(self) -> Event:
        payload = AccountOpened(account_id=uuid7(), number="1", secret=MASKED, owner=SECRET)
        [event] = publish_many([Draft(payload)])
        Event.unscoped.filter(pk=event.pk).update(
            status=EventStatus.FAILED, error_message=SECRET, processed_at=timezone.now()
        )
        given = {"status": "failed", "error": SECRET, "attempts": 1, "failures": 1}
        for handler, group_id in (("greet", self.group.pk), ("mails", None)):
            Delivery.objects.create(event=event, handler=handler, group_id=group_id, **given)
        return Event.unscoped.get(pk=event.pk)

    @cached_property
    def owner(self) -> User:
        """Somebody to whom failures can be given."""
        return make_person(self.tenant, is_staff=True)

    def replay(self, status: str, *, kind: str = REPLAY, external: bool = False) -> UUID:
        """The id of a replay of the event, with that status."""
        replay = plan_replay(
            Selection(ids=(self.event.pk,)),
            Event.unscoped.filter(tenant=self.tenant),
            actor=None,
            tenant=self.tenant,
            kind=kind,
            patch=PATCH if kind == CORRECTION else None,
        )
        if status != "planned":
            start(replay, actor=None, reason=SECRET, include_external=external)
        if status == "paused":
            pause(replay, actor=None)
        if status == "stopped":
            Replay.objects.filter(pk=replay.pk).update(status=status, stopped_because=SECRET)
        replay_id: UUID = replay.pk
        return replay_id

    def paused(self, handler: str) -> str:
        """The name of a handler that is paused now."""
        pause_handler(handler, actor=None, reason="broken")
        return handler


def with_acme() -> Iterator[Acme]:
    """Acme, with its handlers; to be made a fixture of."""
    with handlers():
        yield Acme(make_tenant("acme", name="Acme"))


@contextmanager
def handlers() -> Iterator[None]:
    """The two handlers at which acme's event failed."""
    with (
        handler_of(TYPE, function=_handle, name="greet"),
        handler_of(TYPE, function=_handle, name="mails", effects="external", on_replay="skip"),
    ):
        yield


def _handle(event: Event) -> None: ...


def make_person(
    tenant: Tenant | None = None, may: Any = (), *, role: str = "rep", **fields: Any
) -> User:
    """A member of a tenant, or of none, with the permissions that `may` names by their code."""
    user = make_user(tenant, role, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=may))
    return user


def all_but(permission: str) -> set[str]:
    """Every permission, without this one and what implies it."""
    return set(EVERYTHING) - {permission} - IMPLIED.get(permission, set())


# --- What is tried ------------------------------------------------------------------------------


class Effect(Enum):
    """What shows that an attempt worked: rows have changed, or the answer tells acme's secret, or
    there is a page that tells no secret."""

    CHANGES, TELLS, OPENS = range(3)


@dataclass(frozen=True)
class Attempt:
    """Something that can be tried at an address.

    Attributes:
        name: of the address.
        needs: the permissions that it takes, all of them; or `SUPERUSER`, or `NOBODY`.
        row: what the address is about: the id of a row of acme, or else a word.
        form: what is posted; None: the page is opened.
        query: of the address.
        label: which of several attempts at the address it is.
    """

    name: str
    needs: tuple[str, ...]
    effect: Effect
    row: Callable[[Acme], Any] | None = None
    form: Callable[[Acme], dict[str, Any]] | None = None
    query: Callable[[Acme], str] = field(default=lambda _acme: "")
    label: str = ""

    def __str__(self) -> str:
        method = "GET" if self.form is None else "POST"
        return " ".join(filter(None, [self.name, method, self.label]))


class Trial:
    """An attempt at an address of acme's, to be made by one after the other."""

    # In front of the attempt's name, which is the address's.
    namespace = ""

    def __init__(self, attempt: Attempt, acme: Acme) -> None:
        self.attempt = attempt
        row = attempt.row(acme) if attempt.row else None
        path = reverse(f"{self.namespace}{attempt.name}", args=[] if row is None else [row])
        self.url = path + attempt.query(acme)
        self.form = None if attempt.form is None else attempt.form(acme)
        self.is_about_a_row = row is not None and not isinstance(row, str)
        self.before = kept()


# --- What is left behind ------------------------------------------------------------------------


def kept(*, but_of: Tenant | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Every row of every table of the engine: table and values.

    Args:
        but_of: a tenant whose rows are left out, and plans that hold nothing.
    """
    tables = [model._meta.db_table for model in apps.get_app_config("events").get_models()]
    query = " UNION ALL ".join(
        f"SELECT '{table}', to_jsonb({table}) FROM {table}" for table in tables
    )
    rows = [(table, row) for table, row in fetch_rows(query, {}) if not _is_of(but_of, table, row)]
    return sorted(rows, key=str)


def _is_of(tenant: Tenant | None, table: str, row: dict[str, Any]) -> bool:
    if tenant is None:
        return False
    is_empty = table == Replay._meta.db_table and not row["selected"]
    return is_empty or row.get("tenant_id") == str(tenant.pk)


@contextmanager
def undone() -> Iterator[None]:
    """Whatever the block does in the database is undone."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def text_of(response: Any) -> str:
    """The body of a response, streamed or not."""
    return str(response.getvalue().decode())
