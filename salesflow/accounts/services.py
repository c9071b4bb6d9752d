"""What changes tenants, people and keys."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from salesflow.accounts.models import ApiKey, Membership, Tenant, User


@transaction.atomic
def create_tenant(slug: str, *, name: str, time_zone: str = "UTC", language: str = "en") -> Tenant:
    """Create a tenant.

    Raises:
        ValidationError: slug taken or malformed, unknown time zone or language.
    """
    tenant = Tenant(slug=slug, name=name, time_zone=time_zone, language=language)
    tenant.full_clean()
    tenant.save(force_insert=True)
    return tenant


@transaction.atomic
def create_user(email: str, password: str | None, *, name: str, is_staff: bool = False) -> User:
    """Create a person who can log in.

    Raises:
        ValidationError: address taken or malformed.
    """
    user = User(email=email.strip().lower(), name=name, is_staff=is_staff)
    user.set_password(password)
    user.full_clean()
    user.save(force_insert=True)
    return user


def add_member(tenant: Tenant, user: User, role: str = Membership.Role.REP) -> Membership:
    """Let `user` work for `tenant`; a member keeps one role, the last one given.

    Raises:
        ValidationError: unknown role.
    """
    if role not in Membership.Role.values:
        known = ", ".join(Membership.Role.values)
        raise ValidationError(
            {"role": _("There is no role “%(role)s”: %(known)s.") % {"role": role, "known": known}}
        )
    membership, _created = Membership.unscoped.update_or_create(
        tenant=tenant, user=user, defaults={"role": role}
    )
    return membership


def create_api_key(
    tenant: Tenant, *, name: str, created_by: User | None = None
) -> tuple[ApiKey, str]:
    """Issue a key for `tenant`.

    Returns:
        The row, and the key itself, shown this once.
    """
    return ApiKey.issue(tenant=tenant, name=name, created_by=created_by)


def revoke_api_key(key: ApiKey) -> None:
    """Make a key useless at once and for ever."""
    key.revoked = True
    key.save(update_fields=["revoked"])
