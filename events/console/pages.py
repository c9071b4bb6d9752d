"""What every page of the console is made of: an address, the admin's frame, a limit of time."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from events.console.permissions import allowed
from events.templatetags.event_texts import readable

View = Callable[..., HttpResponseBase]

# Seconds that one query of a page may take. Whoever looks at a burning house needs an answer, and
# the engine needs the database.
PATIENCE = 5.0


def console_path(
    route: str, view: View, name: str, *, seconds: float | None = PATIENCE
) -> URLPattern:
    """An address below /admin/ for members of staff, called `admin:events_<name>`.

    Args:
        route: such as "events/failures/".
        view: asks for its permission by itself, see `events.console.permissions.require`.
        seconds: that each of its queries may take; it runs in one transaction then. None: no
            limit, and no transaction.
    """
    limited = in_time(view, seconds) if seconds else view
    return path(route, admin.site.admin_view(limited), name=f"events_{name}")


def in_time(view: View, seconds: float = PATIENCE) -> View:
    """The view, in a transaction in which no query takes longer; what does is told, no error."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            with transaction.atomic():
                limit_queries(seconds)
                return _rendered(view(request, *args, **kwargs))
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled):
                raise
        return _too_slow(request)

    return answer


class InTime:
    """Lists of the admin whose queries may take no longer than those of the other pages."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The list."""
        return in_time(super().changelist_view)(request, extra_context)  # type: ignore[misc]


def limit_queries(seconds: float = PATIENCE) -> None:
    """Until the transaction ends, no query may take longer."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")


def _rendered(response: HttpResponseBase) -> HttpResponseBase:
    """A template's queries are the page's, too."""
    return response.render() if isinstance(response, TemplateResponse) else response


def _too_slow(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(_("Not available: the database took too long."), status=503)
    title = _("This took too long")
    return console_page(request, "admin/events/too_slow.html", title=title, status=503)


def console_page(
    request: HttpRequest, template: str, *, title: Any, status: int = 200, **context: Any
) -> TemplateResponse:
    """A template within the admin's frame; it knows as `allowed` what the user may do."""
    frame = {
        **admin.site.each_context(request),
        "title": readable(title),
        "allowed": allowed(request.user),
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, template, frame | context, status=status)


def console_part(
    request: HttpRequest, template: str, *, status: int = 200, **context: Any
) -> TemplateResponse:
    """A part of a page, for a page that is open and wants it anew."""
    frame = {"allowed": allowed(request.user)}
    return TemplateResponse(request, template, frame | context, status=status)
