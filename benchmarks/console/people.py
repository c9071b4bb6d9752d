"""Who works in the console: a superuser, and members of staff who are bound to a tenant."""

from dataclasses import dataclass

from django.contrib.auth.models import Permission

from benchmarks.console.shape import TENANTS
from events.console.permissions import SHORT
from salesflow.accounts.models import Tenant, User
from salesflow.accounts.services import add_member, create_tenant, create_user

RULES = [f"{verb}_alertrule" for verb in ("view", "add", "change", "delete")]
# Who looks at pages → the place of their tenant in `TENANTS`, None where they see all.
PEOPLE: dict[str, int | None] = {"superuser": None, "staff": 0, "small": len(TENANTS) - 1}


@dataclass(frozen=True)
class Cast:
    """Everybody that the log speaks of."""

    tenants: list[Tenant]
    superuser: User


def make_cast() -> Cast:
    """Make tenants and people, the first time."""
    tenants = [_tenant(number) for number in range(len(TENANTS))]
    for name, place in PEOPLE.items():
        _person(name, None if place is None else tenants[place])
    return Cast(tenants, person("superuser"))


def person(name: str) -> User:
    """One of `PEOPLE`."""
    found: User = User.objects.get(email=f"{name}@example.com")
    return found


def tenant_of(name: str) -> Tenant:
    """The tenant of somebody; the big one for who sees all."""
    return Tenant.objects.get(slug=_slug(PEOPLE[name] or 0))


def _slug(number: int) -> str:
    return f"tenant-{number}"


def _tenant(number: int) -> Tenant:
    slug = _slug(number)
    found = Tenant.objects.filter(slug=slug).first()
    return found or create_tenant(slug, name=f"Tenant {number}")


def _person(name: str, tenant: Tenant | None) -> None:
    email = f"{name}@example.com"
    if User.objects.filter(email=email).exists():
        return
    user = create_user(email, None, name=name.title(), is_staff=True)
    if tenant is None:
        user.is_superuser = True
        user.save(update_fields=["is_superuser"])
        return
    add_member(tenant, user, "admin")
    codes = [each.rpartition(".")[2] for each in SHORT.values()] + RULES
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
