"""How the OpenAPI document is made: our credentials, headers and errors are in it."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes the key."""

    target_class = "salesflow.accounts.rest.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return a header credential."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "Api-Key <key>",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes a logged-in browser."""

    target_class = "salesflow.accounts.rest.authentication.TenantSessionAuthentication"
    name = "Session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return a cookie credential."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class TenantlessSchemaGenerator(SchemaGenerator):
    """Looks at views, whose querysets want a tenant, without anybody's data."""

    def get_schema(self, *args: Any, **kwargs: Any) -> Any:
        """Return the document."""
        with tenant_context(Tenant(slug="schema")):
            return super().get_schema(*args, **kwargs)  # type: ignore[no-untyped-call]


class IdempotentAutoSchema(AutoSchema):
    """Adds the header that makes a POST safe to repeat."""

    def get_override_parameters(self) -> list[Any]:
        """Return the parameters that no serializer or filter tells."""
        if self.method != "POST":
            return []
        description = _(
            "Any text of your choice: for 24 hours, the same request with the same key gets the"
            " first answer again and changes nothing."
        )
        return [
            OpenApiParameter(
                "Idempotency-Key",
                {"type": "string", "maxLength": 255},
                OpenApiParameter.HEADER,
                description=str(description),
            )
        ]


ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "fields", "request_id"],
            "properties": {
                "code": {"type": "string", "examples": ["invalid", "not_found"]},
                "message": {"type": "string"},
                "fields": {
                    "type": "object",
                    "description": "What is wrong, by the name of the field or parameter.",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
                "request_id": {"type": ["string", "null"]},
            },
        }
    },
}


def describe_errors(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Give every operation the one shape of errors (a hook of drf-spectacular)."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Error"] = ERROR
    reference = {"$ref": "#/components/schemas/Error"}
    components.setdefault("responses", {})["Error"] = {
        "description": "An error; its code says which.",
        "content": {"application/json": {"schema": reference}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"$ref": "#/components/responses/Error"}
    return result
