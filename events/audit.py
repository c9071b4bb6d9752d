"""Who did what: one line for each action of a person, kept for ever."""

from typing import Any

from django.db.models import Model, Q, QuerySet

from events.models import AuditLine
from salesflow.accounts.models import Tenant, User
from salesflow.accounts.queries import visible_tenant_ids

Target = Model | tuple[str, str]


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


def address_of(target: Target) -> tuple[str, str]:
    """The kind of a target, and what tells it from others of its kind."""
    if isinstance(target, Model):
        return str(target._meta.model_name), str(target.pk)
    return target


def visible_lines(user: Any) -> QuerySet[AuditLine]:
    """A tenant's lines to its staff; what concerns several to who did it, and to superusers."""
    if user.is_superuser:
        return AuditLine.objects.all()
    own = Q(tenant=None, actor_id=user.pk)
    return AuditLine.objects.filter(Q(tenant__in=visible_tenant_ids(user)) | own)


def lines_about(target: Target, user: Any) -> QuerySet[AuditLine]:
    """What was done with one target, the last first, as far as the user may see it."""
    target_type, target_id = address_of(target)
    lines = visible_lines(user).filter(target_type=target_type, target_id=target_id)
    return lines.select_related("actor", "tenant").order_by("-id")
