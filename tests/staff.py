"""People who enter the admin, and what a page of it says."""

from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from salesflow.accounts import services
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.factories import make_user
from tests.web import browser_of


def make_staff(*tenants: Tenant, may: list[str] | None = None) -> User:
    """A member of staff of `tenants`, with the permissions that `may` names by their code."""
    user = make_user(is_staff=True)
    for tenant in tenants:
        with tenant_context(tenant):
            services.add_member(tenant, user, "admin")
    permissions = Permission.objects.filter(codename__in=may or [])
    unknown = set(may or []) - set(permissions.values_list("codename", flat=True))
    assert not unknown, f"no permissions: {unknown}"
    user.user_permissions.set(permissions)
    return User.objects.get(pk=user.pk)


def make_superuser() -> User:
    """Someone who may do everything, a member of no tenant."""
    return make_user(is_staff=True, is_superuser=True)


def client_of(user: User | None) -> Client:
    """A browser in which `user` is logged in; it refuses pages that run a query for each row."""
    return browser_of(user) if user else Client()


def said_on(response: Any) -> str:
    """The messages shown with a response, in one text."""
    return " ".join(str(message) for message in response.context["messages"])
