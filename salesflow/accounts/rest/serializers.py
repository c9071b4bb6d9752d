"""What bodies are made of: a field that is not understood is refused, never ignored."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know, together with those that are wrong."""

    def to_internal_value(self, data: Any) -> Any:
        """The checked fields.

        Raises:
            ValidationError: naming each field that is unknown or wrong.
        """
        errors: dict[str, Any] = {}
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            errors = {name: [_("There is no such field.")] for name in data if name not in known}
        try:
            checked = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**error.detail, **errors}) from None  # type: ignore[dict-item]
        if errors:
            raise serializers.ValidationError(errors)
        return checked


class TextField(serializers.CharField):
    """A string; a number or a truth value is none."""

    def to_internal_value(self, data: Any) -> str:
        """The text without blanks around it."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


def read_body(serializer_class: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """What a request's body says.

    Raises:
        ValidationError: by the name of the field.
    """
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    given: dict[str, Any] = serializer.validated_data
    return given
