"""Rows that belong to a tenant, and managers that never forget it."""

from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Self, TypeVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from salesflow.accounts.context import WrongTenant, current_tenant, tenant_context

M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M]):
    """Fills in the tenant on bulk writes."""

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        """As Django's, for rows of the current tenant alone."""
        objs = list(objs)
        for obj in objs:
            adopt_tenant(obj)
        return super().bulk_create(objs, *args, **kwargs)


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]
    """Rows of the current tenant; without one it raises `TenantNotSet`."""

    def get_queryset(self) -> TenantQuerySet[Any]:
        queryset: TenantQuerySet[Any] = super().get_queryset()
        return queryset.filter(tenant_id=current_tenant().id)


class TenantScoped(models.Model):
    """A row of one tenant.

    `objects` sees the current tenant's rows; `unscoped` sees all and belongs in the engine,
    in migrations and in the staff admin only.
    """

    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.CASCADE, related_name="+", verbose_name=_("tenant")
    )

    objects: ClassVar[TenantManager] = TenantManager()
    unscoped: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save under the current tenant.

        Raises:
            TenantNotSet: a new row without a tenant, and none is current.
            WrongTenant: the row belongs to another tenant than the current one.
        """
        adopt_tenant(self)
        super().save(*args, **kwargs)

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        """Compare with the rows of its own tenant, whether or not that is the current one."""
        with self._own_tenant():
            super().validate_unique(exclude)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Compare with the rows of its own tenant, whether or not that is the current one."""
        with self._own_tenant():
            super().validate_constraints(exclude)

    def _own_tenant(self) -> AbstractContextManager[Any]:
        from salesflow.accounts.context import _current_tenant
        from salesflow.accounts.models import Tenant

        if self.tenant_id:
            return tenant_context(self.tenant)
        # In a form the tenant may still have to be chosen: the row is compared with none.
        return nullcontext() if _current_tenant.get() else tenant_context(Tenant())

    @classmethod
    def scoped(cls) -> "models.QuerySet[Self]":
        """The rows of the current tenant."""
        queryset: models.QuerySet[Self] = cls._default_manager.all()
        return queryset


def adopt_tenant(row: Any) -> None:
    """Give a new row the current tenant, refuse a row of another one.

    A row whose tenant is set may be written without a context (the staff admin, fixtures).
    """
    from salesflow.accounts.context import _current_tenant

    current = _current_tenant.get()
    if row.tenant_id is None:
        tenant = current or current_tenant()
        # What `row.tenant = tenant` does, without its checks: bulk writes come by here.
        row.tenant_id = tenant.pk
        row._state.fields_cache["tenant"] = tenant
    elif current is not None and row.tenant_id != current.id:
        raise WrongTenant(f"{type(row).__name__} belongs to another tenant than {current.slug}.")
