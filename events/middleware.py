"""Writes on the events of a request where they came from."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from events.context import event_context


class EventContextMiddleware:
    """Events published while a request is answered carry its id, its user and its way in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with event_context(
            source=_way_in(request.path_info),
            request_id=request.request_id,  # type: ignore[attr-defined]
            actor_id=request.user.pk,
        ):
            return self.get_response(request)


def _way_in(path: str) -> str:
    if path.startswith("/api/"):
        return "api"
    return "admin" if path.startswith("/admin/") else "web"
