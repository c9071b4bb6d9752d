"""Makers of the rows that every app's tests need."""

from itertools import count
from typing import Any

from salesflow.accounts import services
from salesflow.accounts.models import Membership, Tenant, User

_numbers = count(1)


def make_tenant(slug: str = "", **fields: Any) -> Tenant:
    """A tenant with a slug of its own."""
    slug = slug or f"tenant-{next(_numbers)}"
    return services.create_tenant(slug, **{"name": slug.title(), **fields})


def make_user(tenant: Tenant | None = None, role: str = Membership.Role.REP, **fields: Any) -> User:
    """A user with the password "secret-password", a member of `tenant` if one is given."""
    number = next(_numbers)
    staff = {name: fields.pop(name) for name in ("is_staff", "is_superuser") if name in fields}
    given = {"email": f"user{number}@example.com", "name": f"User {number}", **fields}
    user = services.create_user(given.pop("email"), "secret-password", **given)
    if staff:
        for name, value in staff.items():
            setattr(user, name, value)
        user.save()
    if tenant:
        services.add_member(tenant, user, role)
    return user


def make_api_key(tenant: Tenant) -> str:
    """A usable API key of `tenant`."""
    return services.create_api_key(tenant, name="tests")[1]
