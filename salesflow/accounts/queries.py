"""What reads tenants and memberships."""

from django.contrib.auth.models import AnonymousUser

from salesflow.accounts.models import Membership, Tenant, User


def get_tenant(slug: str) -> Tenant:
    """The tenant called `slug`.

    Raises:
        Tenant.DoesNotExist: with a sentence that names the tenants there are.
    """
    try:
        return Tenant.objects.get(slug=slug)
    except Tenant.DoesNotExist:
        known = ", ".join(Tenant.objects.values_list("slug", flat=True)[:10]) or "none yet"
        raise Tenant.DoesNotExist(f"There is no tenant “{slug}” (tenants: {known}).") from None


def membership_of(user: User | AnonymousUser, slug: str | None = None) -> Membership | None:
    """The user's membership in the tenant `slug`, else in the first that took them in."""
    if not user.is_authenticated:
        return None
    memberships = Membership.unscoped.filter(user=user).select_related("tenant").order_by("pk")
    if slug:
        return memberships.filter(tenant__slug=slug).first() or memberships.first()
    return memberships.first()
