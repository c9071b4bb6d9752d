"""Who calls the API, and for which tenant."""

from typing import TYPE_CHECKING, Any

import structlog
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from salesflow.accounts import context
from salesflow.accounts.models import ApiKey, Tenant, User

if TYPE_CHECKING:
    from rest_framework.views import APIView

KEYWORD = "Api-Key"


def person_of(request: Request) -> User | None:
    """Who is logged in; nobody in particular behind an API key."""
    return request.user if isinstance(request.user, User) else None


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key <key>`; the key's tenant becomes the current one."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        """Return nobody in particular and the key, or None without such a header."""
        keyword, _sep, secret = request.headers.get("Authorization", "").partition(" ")
        if keyword.lower() != KEYWORD.lower():
            return None
        key = _usable_key(secret.strip())
        _work_for(request, key.tenant)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return KEYWORD


def _usable_key(secret: str) -> ApiKey:
    try:
        key = ApiKey.objects.get_from_key(secret)
    except (ApiKey.DoesNotExist, ValueError):
        raise exceptions.AuthenticationFailed(
            _("This API key is unknown or was revoked.")
        ) from None
    if key.has_expired:
        raise exceptions.AuthenticationFailed(_("This API key has expired."))
    return key  # type: ignore[return-value]


def _work_for(request: Request, tenant: Tenant) -> None:
    """Make `tenant` current until the tenant middleware resets it."""
    request._request.tenant = tenant  # type: ignore[attr-defined]
    context._current_tenant.set(tenant)
    structlog.contextvars.bind_contextvars(tenant=tenant.slug)


class TenantSessionAuthentication(SessionAuthentication):
    """A logged-in browser, with CSRF protection; the middleware has set its tenant."""


class HasTenant(BasePermission):
    """Lets in whoever the middleware or the API key gave a tenant."""

    message = _("You are a member of no tenant.")

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """True for an API key and for a logged-in member."""
        authenticated = isinstance(request.auth, ApiKey) or request.user.is_authenticated
        return authenticated and getattr(request._request, "tenant", None) is not None
