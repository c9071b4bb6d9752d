"""The tenant on whose behalf the current request, task or command works."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from salesflow.accounts.models import Tenant

_current_tenant: ContextVar["Tenant | None"] = ContextVar("current_tenant", default=None)


class TenantNotSet(RuntimeError):
    """Tenant-scoped rows were asked for while no tenant was current."""


class WrongTenant(RuntimeError):
    """A row of one tenant was about to be written in the context of another."""


def current_tenant() -> "Tenant":
    """The current tenant.

    Raises:
        TenantNotSet: outside `tenant_context`; a missing tenant never means all tenants.
    """
    tenant = _current_tenant.get()
    if tenant is None:
        raise TenantNotSet("No tenant is set: wrap this in tenant_context(tenant).")
    return tenant


@contextmanager
def tenant_context(tenant: "Tenant") -> Iterator["Tenant"]:
    """Make `tenant` the current one, for the ORM and in every log line."""
    token = _current_tenant.set(tenant)
    try:
        with structlog.contextvars.bound_contextvars(tenant=tenant.slug):
            yield tenant
    finally:
        _current_tenant.reset(token)
