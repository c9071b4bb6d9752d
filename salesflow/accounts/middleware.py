"""What every request gets: an id, a tenant, a language, a content security policy."""

import contextlib
import re
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, UnreadablePostError
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils import timezone, translation
from django_htmx.http import HttpResponseClientRedirect

from salesflow.accounts import context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.queries import membership_of

GetResponse = Callable[[HttpRequest], HttpResponse]

ACCEPTABLE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,64}")
TENANT_SESSION_KEY = "tenant"
MOST_READ_AWAY = 64 * 1024 * 1024

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# The admin's theme runs Alpine.js, which evaluates the expressions in its attributes and writes
# style attributes, and puts its colours into a style element. It has no inline scripts.
ADMIN_POLICY = POLICY + "; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'"
ADMIN = "/admin/"


class RequestIdMiddleware:
    """Takes over a caller's `X-Request-ID` or makes one; logs and the answer carry it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = acceptable_request_id(request.headers.get("X-Request-ID"))  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.request_id)  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response


class UnreadBodyMiddleware:
    """Reads away what a refused request still sends: else its sender sees a broken connection.

    A server that answers and closes before the body is through makes the client's write fail, and
    most clients then never look at the answer.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code >= 400 and not hasattr(request, "_body"):
            _read_away(request)
        return response


def _read_away(request: HttpRequest) -> None:
    left = MOST_READ_AWAY
    # The sender may be gone.
    with contextlib.suppress(UnreadablePostError):
        while left > 0 and (chunk := request.read(65536)):
            left -= len(chunk)


def acceptable_request_id(given: str | None) -> str:
    """The caller's id when it is short and plain, else a new one."""
    if given and ACCEPTABLE_REQUEST_ID.fullmatch(given):
        return given
    return str(uuid7())


class ContentSecurityPolicyMiddleware:
    """Allows scripts and styles from this server alone."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        policy = ADMIN_POLICY if request.path_info.startswith(ADMIN) else POLICY
        response.setdefault("Content-Security-Policy", policy)
        return response


class PartsLoginMiddleware:
    """Sends the whole page to the login when a part of it asks without a session.

    htmx follows redirects without a word and would show the login page within the part. After
    logging in, one is where one was.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not (request.htmx and isinstance(response, HttpResponseRedirect)):  # type: ignore[attr-defined]
            return response
        login = urlsplit(response.url).path
        if login not in (resolve_url(settings.LOGIN_URL), reverse("admin:login")):
            return response
        # None where the page is of another site.
        page = request.htmx.current_url_abs_path  # type: ignore[attr-defined]
        query = f"?{urlencode({REDIRECT_FIELD_NAME: page})}" if page else ""
        return HttpResponseClientRedirect(f"{login}{query}")


class TenantMiddleware:
    """Sets the tenant of a logged-in user, with their language and time zone, else its time zone.

    An API key names its tenant later, in the view's authentication; the context it sets ends
    here too, since worker threads outlive requests. In the admin no tenant is current: its lists
    show the rows of several, and what saves one there names the row's own.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        membership = membership_of(request.user, request.session.get(TENANT_SESSION_KEY))
        tenant = membership.tenant if membership else None
        request.membership, request.tenant = membership, tenant  # type: ignore[attr-defined]
        in_admin = request.path_info.startswith(ADMIN)
        token = context._current_tenant.set(None if in_admin else tenant)
        try:
            if tenant and request.user.is_authenticated:
                structlog.contextvars.bind_contextvars(tenant=tenant.slug)
                timezone.activate(ZoneInfo(request.user.time_zone or tenant.time_zone))
            _activate_language(request)
            return self.get_response(request)
        finally:
            timezone.deactivate()
            context._current_tenant.reset(token)


def _activate_language(request: HttpRequest) -> None:
    if request.user.is_authenticated and request.user.language:
        translation.activate(request.user.language)
        request.LANGUAGE_CODE = request.user.language
