"""Addresses of the API: each works with and without a trailing slash, and is one route."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern
from django.urls.resolvers import RoutePattern


class SlashOptionalPattern(RoutePattern):
    """A route that also matches with one slash more; `reverse` and the schema give it without."""

    def match(self, path: str) -> Any:
        """Match the path as it is, else without its trailing slash."""
        return super().match(path) or (super().match(path[:-1]) if path.endswith("/") else None)


def api_path(route: str, view: Callable[..., Any], name: str) -> URLPattern:
    """One route of the API.

    Args:
        route: as in `django.urls.path`, without a trailing slash, relative to /api/.
    """
    return URLPattern(SlashOptionalPattern(route, name=name, is_endpoint=True), view, name=name)
