"""How lists are narrowed: a filter that is not understood is refused, never ignored."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.request import Request


class StrictFilterBackend(DjangoFilterBackend):  # type: ignore[misc]
    """Filters by a view's `filterset_class`; unknown and repeated parameters are errors."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        """The rows that the request asks for.

        Raises:
            ValidationError: naming each parameter that is unknown, given twice, or wrong.
        """
        filterset_class = self.get_filterset_class(view, queryset)
        known = [*getattr(view.paginator, "parameters", ())]
        if filterset_class is None:
            refuse_unknown_parameters(request, known)
            return queryset
        return filtered(request, queryset, filterset_class, also=known)


class MomentField(IsoDateTimeField):  # type: ignore[misc]
    """A date and time, in UTC: PostgreSQL takes no offset of a day, Python does."""

    def clean(self, value: Any) -> datetime | None:
        """The moment.

        Raises:
            ValidationError: it is none, or beyond the years 1 to 9999.
        """
        moment = super().clean(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class MomentFilter(filters.IsoDateTimeFilter):  # type: ignore[misc]
    """Compares with a date and time in ISO 8601."""

    field_class = MomentField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        text = gettext_lazy("A date and time in ISO 8601; without a zone it is UTC.")
        super().__init__(*args, **{"help_text": text, **kwargs})


def filtered(
    request: Request,
    queryset: QuerySet[Any],
    filterset_class: type[FilterSet],
    also: Iterable[str] = (),
) -> QuerySet[Any]:
    """The rows that the query parameters ask for.

    Args:
        also: parameters that somebody else reads.

    Raises:
        ValidationError: naming each parameter that is unknown, given twice, or wrong.
    """
    refuse_unknown_parameters(request, [*filterset_class.base_filters, *also])
    filterset = filterset_class(data=request.query_params, queryset=queryset, request=request)
    if not filterset.is_valid():
        raise translate_validation(filterset.errors)
    rows: QuerySet[Any] = filterset.qs
    return rows


def refuse_unknown_parameters(request: Request, known: Iterable[str]) -> None:
    """Raise ValidationError for query parameters that are not among `known`, or given twice."""
    names = sorted(known)
    errors = {}
    for name, values in request.query_params.lists():
        if name not in names:
            there_are = _("There is no such parameter; there are: %(names)s.")
            errors[name] = there_are % {"names": ", ".join(names) or _("none")}
        elif len(values) > 1:
            errors[name] = _("Give it once.")
    if errors:
        raise exceptions.ValidationError(errors)


def parameters_of(filterset_class: type[FilterSet]) -> list[OpenApiParameter]:
    """The query parameters of a filter set, for the OpenAPI document of what is no list."""
    types = {filters.UUIDFilter: OpenApiTypes.UUID, MomentFilter: OpenApiTypes.DATETIME}
    return [
        OpenApiParameter(
            name,
            types.get(type(narrowed), OpenApiTypes.STR),
            description=str(narrowed.extra.get("help_text", "")),
            enum=[value for value, _label in narrowed.extra.get("choices", [])] or None,
        )
        for name, narrowed in filterset_class.base_filters.items()
    ]
