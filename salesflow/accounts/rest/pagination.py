"""How long lists are cut into pages."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from salesflow.accounts.paging import BadKey, Order, Page

DEFAULT_LIMIT, HIGHEST_LIMIT = 50, 200


class KeysetPagination(BasePagination):
    """Pages by the last row seen: no counting, no offset, stable while rows are added.

    A view declares what its rows can be sorted by, as name → the fields or annotations of an
    `Order`; and `default_ordering`, a name with "-" before it when it descends:

        orderings = {"name": ("name", "id")}

    And `ids_first`, where that is so, see `Page.read`.
    """

    parameters = ("cursor", "limit", "ordering")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the page that the request asks for.

        Raises:
            ValidationError: `cursor`, `limit` or `ordering` cannot be what they say.
        """
        self.request = request
        self.orderings = _orderings(view)
        order = self._order(getattr(view, "default_ordering", "-id"))
        cursor = request.query_params.get("cursor", "")
        ids_first = getattr(view, "ids_first", False)
        try:
            page = Page.read(queryset, order, size=self._limit(), after=cursor, ids_first=ids_first)
        except BadKey:
            raise exceptions.ValidationError(
                {"cursor": _("Follow “next” as it was given, with the same ordering.")}
            ) from None
        self.next = page.after
        return page.rows

    def get_paginated_response(self, data: Any) -> Response:
        """The page, and the address of the next one."""
        address = self.request.build_absolute_uri()
        following = replace_query_param(address, "cursor", self.next) if self.next else None
        return Response({"next": following, "results": data})

    # --- Parameters -----------------------------------------------------------------------------

    def _order(self, default: str) -> Order:
        ordering = self.request.query_params.get("ordering", default)
        names = self.orderings.get(ordering.removeprefix("-"))
        if names is None:
            raise exceptions.ValidationError(
                {"ordering": _("Sort by one of: %(names)s.") % {"names": ", ".join(self.names())}}
            )
        return Order(names, descending=ordering.startswith("-"))

    def names(self) -> list[str]:
        """What `ordering` may be."""
        return [sign + name for name in self.orderings for sign in ("", "-")]

    def _limit(self) -> int:
        given = self.request.query_params.get("limit", str(DEFAULT_LIMIT))
        return whole_number("limit", given, HIGHEST_LIMIT)

    # --- Schema ---------------------------------------------------------------------------------

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The query parameters, for the OpenAPI document."""
        self.orderings = _orderings(view)
        default = getattr(view, "default_ordering", "-id")
        return [
            _parameter("cursor", gettext_lazy("Where the page begins; see “next”."), {}),
            _parameter(
                "limit",
                gettext_lazy("Rows a page."),
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": HIGHEST_LIMIT,
                    "default": DEFAULT_LIMIT,
                },
            ),
            _parameter(
                "ordering",
                gettext_lazy("What to sort by; “-” before it: from high to low."),
                {"enum": self.names(), "default": default},
            ),
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The page around the rows, for the OpenAPI document."""
        following = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {"next": following, "results": schema},
        }


def whole_number(name: str, given: str, highest: int) -> int:
    """The number in a query parameter.

    Raises:
        ValidationError: it is none between 1 and `highest`.
    """
    if given.isascii() and given.isdigit() and len(given) < 10 and 1 <= int(given) <= highest:
        return int(given)
    raise exceptions.ValidationError(
        {name: _("Give a whole number from 1 to %(highest)d.") % {"highest": highest}}
    )


def _orderings(view: Any) -> Mapping[str, tuple[str, ...]]:
    orderings: Mapping[str, tuple[str, ...]] = getattr(view, "orderings", {"id": ("id",)})
    return orderings


def _parameter(name: str, description: Any, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": str(description),
        "schema": {"type": "string", **schema},
    }
