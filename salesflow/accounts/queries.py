"""What reads tenants and memberships."""

from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils.translation import gettext as _

from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import Membership, Tenant, User

M = TypeVar("M", bound=models.Model)


def get_tenant(slug: str) -> Tenant:
    """The tenant called `slug`.

    Raises:
        Tenant.DoesNotExist: with a sentence that names the tenants there are.
    """
    try:
        return Tenant.objects.get(slug=slug)
    except Tenant.DoesNotExist:
        known = ", ".join(Tenant.objects.values_list("slug", flat=True)[:10]) or _("none yet")
        text = _("There is no tenant “%(slug)s” (tenants: %(known)s).")
        raise Tenant.DoesNotExist(text % {"slug": slug, "known": known}) from None


def membership_of(user: User | AnonymousUser, slug: str | None = None) -> Membership | None:
    """The user's membership in the tenant `slug`, else in the first that took them in."""
    if not user.is_authenticated:
        return None
    memberships = Membership.unscoped.filter(user=user).select_related("tenant").order_by("pk")
    if slug:
        return memberships.filter(tenant__slug=slug).first() or memberships.first()
    return memberships.first()


def visible_tenant_ids(user: Any) -> list[UUID]:
    """The tenants whose rows a member of staff may see in the admin; a superuser is not asked."""
    if not hasattr(user, "_visible_tenant_ids"):
        members = Membership.unscoped.filter(user_id=user.pk).values_list("tenant_id", flat=True)
        user._visible_tenant_ids = list(members)
    ids: list[UUID] = user._visible_tenant_ids
    return ids


def visible_rows(user: User | AnonymousUser, model: type[M]) -> models.QuerySet[M]:
    """The rows of `model` that a member of staff may see in the admin.

    A superuser sees every tenant's, other staff those of the tenants they are members of. What
    belongs to no tenant is a superuser's alone.
    """
    rows: models.QuerySet[Any] = getattr(model, "unscoped", model._default_manager).all()
    if user.is_superuser:
        return rows
    tenants = visible_tenant_ids(user)
    if issubclass(model, Tenant):
        return rows.filter(pk__in=tenants)
    if issubclass(model, User):
        members = Membership.unscoped.filter(tenant__in=tenants)
        return rows.filter(pk__in=members.values("user"))
    if any(field.name == "tenant" for field in model._meta.get_fields()):
        return rows.filter(tenant__in=tenants)
    return rows.none()


def team_members() -> models.QuerySet[User]:
    """The active members of the current tenant, by name."""
    rows = User.objects.filter(is_active=True, memberships__tenant_id=current_tenant().id)
    return rows.order_by("name", "email")


def find_member(text: str) -> User | None:
    """The active member of the current tenant with that id or e-mail address."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return team_members().filter(pk=int(text)).first()
    return team_members().filter(email=text.lower()).first()
