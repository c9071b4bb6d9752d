"""How long lists are cut into pages."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from django.core import signing
from django.db.models import F, Field, Func, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

DEFAULT_LIMIT, HIGHEST_LIMIT = 50, 200
SALT = "salesflow.api.cursor"


class KeysetPagination(BasePagination):
    """Pages by the last row seen: no counting, no offset, stable while rows are added.

    A view declares what its rows can be sorted by, as name → what makes up the key, the last part
    being unique; and `default_ordering`, a name with "-" before it when it descends:

        orderings = {"name": ("name", "id")}
    """

    parameters = ("cursor", "limit", "ordering")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the page that the request asks for.

        Raises:
            ValidationError: `cursor`, `limit` or `ordering` cannot be what they say.
        """
        self.request, self.salt = request, f"{SALT}.{type(view).__name__}"
        self.orderings: Mapping[str, Sequence[Any]] = getattr(view, "orderings", {"id": ("id",)})
        self.ordering = self._ordering(getattr(view, "default_ordering", "-id"))
        limit = self._limit()
        rows = list(self._from_cursor(self._sorted(queryset))[: limit + 1])
        self.next = self._cursor_after(rows[limit - 1]) if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        """The page, and the address of the next one."""
        address = self.request.build_absolute_uri()
        following = replace_query_param(address, "cursor", self.next) if self.next else None
        return Response({"next": following, "results": data})

    # --- Parameters -----------------------------------------------------------------------------

    def _ordering(self, default: str) -> str:
        ordering = self.request.query_params.get("ordering", default)
        if ordering.removeprefix("-") not in self.orderings:
            raise exceptions.ValidationError(
                {"ordering": _("Sort by one of: %(names)s.") % {"names": ", ".join(self.names())}}
            )
        return ordering

    def names(self) -> list[str]:
        """What `ordering` may be."""
        return [sign + name for name in self.orderings for sign in ("", "-")]

    def _limit(self) -> int:
        given = self.request.query_params.get("limit", str(DEFAULT_LIMIT))
        return whole_number("limit", given, HIGHEST_LIMIT)

    # --- Keys -----------------------------------------------------------------------------------

    @cached_property
    def _keys(self) -> list[Any]:
        parts = self.orderings[self.ordering.removeprefix("-")]
        return [F(part) if isinstance(part, str) else part for part in parts]

    @property
    def _descends(self) -> bool:
        return self.ordering.startswith("-")

    def _sorted(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        order = [key.desc() if self._descends else key.asc() for key in self._keys]
        annotations = {f"_key{number}": key for number, key in enumerate(self._keys)}
        rows: QuerySet[Any] = queryset.annotate(**annotations).order_by(*order)
        return rows

    def _from_cursor(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows after the one that the cursor names."""
        cursor = self.request.query_params.get("cursor")
        if not cursor:
            return queryset
        fields: list[Field[Any, Any]] = [
            queryset.query.annotations[f"_key{number}"].output_field
            for number in range(len(self._keys))
        ]
        values = zip(self._values_in(cursor), fields, strict=True)
        last = Row(*(Value(field.to_python(value), output_field=field) for value, field in values))
        after = LessThan if self._descends else GreaterThan
        # A comparison of rows is one range of the index, however many rows share a value.
        return queryset.filter(after(Row(*self._keys), last))

    def _values_in(self, cursor: str) -> list[str]:
        values: list[str] = []
        try:
            ordering, *values = signing.loads(cursor, salt=self.salt)
        except signing.BadSignature:
            ordering = None
        if ordering != self.ordering:
            raise exceptions.ValidationError(
                {"cursor": _("Follow “next” as it was given, with the same ordering.")}
            )
        return values

    def _cursor_after(self, row: Any) -> str:
        keys = [getattr(row, f"_key{number}") for number in range(len(self._keys))]
        return signing.dumps([self.ordering, *map(str, keys)], salt=self.salt, compress=True)

    # --- Schema ---------------------------------------------------------------------------------

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The query parameters, for the OpenAPI document."""
        self.orderings = getattr(view, "orderings", {"id": ("id",)})
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


class Row(Func):
    """Several values that are compared as one, from the first on."""

    function = "ROW"
    output_field = Field()


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


def _parameter(name: str, description: Any, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": str(description),
        "schema": {"type": "string", **schema},
    }
