"""Who did what: one line for each action of a person, kept for ever."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model, Q, QuerySet

from events.models import AuditLine
from salesflow.accounts.models import Tenant, User
from salesflow.accounts.queries import visible_tenant_ids

Target = Model | tuple[str, str]
# What a line about several tenants says to each of them.
SHARED = ("action", "target_type", "target_id", "actor", "reason")


def record(
    action: str,
    target: Target,
    *,
    actor: User | None,
    tenant: Tenant | None,
    reason: str = "",
    details: dict[str, Any] | None = None,
) -> AuditLine:
    """Write one line, in the caller's transaction: what is undone leaves none.

    Args:
        action: what was done, `noun.verb` in the past tense, such as "replay.started".
        target: the row, or the kind and name of what is no row, such as ("handler", "send_mail").
        actor: who; None is somebody behind an API key or a command.
        tenant: whose rows it concerns; None: those of several.
        reason: in the person's own words.
        details: what else a reader wants to know, as JSON.
    """
    target_type, target_id = address_of(target)
    return AuditLine.objects.create(
        action=action,
        target_type=target_type,
        target_id=target_id,
        actor=actor,
        tenant=tenant,
        reason=reason,
        details=details or {},
    )


def record_parts(
    line: AuditLine, parts: Mapping[Any, dict[str, Any]], *, reason: str | None = None
) -> None:
    """Tell each of several tenants its own part of what a line says of all of them.

    Args:
        parts: id of a tenant → what its staff may read beside what was done and by whom.
        reason: where theirs is another one than the line's.
    """
    told = {name: getattr(line, name) for name in SHARED}
    if reason is not None:
        told["reason"] = reason
    AuditLine.objects.bulk_create(
        (
            AuditLine(part_of=line.pk, tenant_id=tenant_id, details=details, **told)
            for tenant_id, details in parts.items()
        ),
        batch_size=1000,
    )


def address_of(target: Target) -> tuple[str, str]:
    """The kind of a target, and what tells it from others of its kind."""
    if isinstance(target, Model):
        return str(target._meta.model_name), str(target.pk)
    return target


def visible_lines(user: Any) -> QuerySet[AuditLine]:
    """A tenant's lines to its staff; what concerns several to who did it, and to superusers.

    Who sees a line about several tenants does not see its parts as well.
    """
    if user.is_superuser:
        return AuditLine.objects.filter(part_of=None)
    whole = Q(tenant=None, actor_id=user.pk)
    own_parts = Q(part_of__isnull=False, actor_id=user.pk)
    theirs = Q(tenant__in=visible_tenant_ids(user)) & ~own_parts
    return AuditLine.objects.filter(theirs | whole)


def lines_about(target: Target, user: Any) -> QuerySet[AuditLine]:
    """What was done with one target, the last first, as far as the user may see it."""
    target_type, target_id = address_of(target)
    lines = visible_lines(user).filter(target_type=target_type, target_id=target_id)
    return lines.select_related("actor", "tenant").order_by("-id")
