"""The one shape in which the API tells errors."""

from typing import Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings

from salesflow.accounts.models import IdempotentResponse
from salesflow.accounts.rest.parsing import PayloadTooLarge


class AnsweredBefore(Exception):
    """Carries the stored answer to the response."""

    def __init__(self, stored: IdempotentResponse) -> None:
        self.stored = stored


class Conflict(exceptions.APIException):
    """What somebody decides about is not any more what it would have to be."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


def error_response(error: Exception, view_context: dict[str, Any]) -> Response | None:
    """Tell any error in the one shape.

    Returns:
        `{"error": {"code", "message", "fields": {name: [message]}, "request_id"}}`, or None for
        an error that is ours (a 500, rendered by `salesflow.accounts.views.server_error`).
    """
    if isinstance(error, AnsweredBefore):
        return Response(
            error.stored.body, error.stored.status, headers={"Idempotent-Replayed": "true"}
        )
    problem = _as_api_exception(error)
    if problem is None:
        return None
    headers = _headers_of(problem)
    request = view_context["request"]
    return Response(error_body(problem, request), status=problem.status_code, headers=headers)


def _as_api_exception(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, ValidationError):
        return exceptions.ValidationError(_fields_of(error))
    if isinstance(error, RequestDataTooBig):
        return PayloadTooLarge()
    if isinstance(error, (BadRequest, SuspiciousOperation)):
        return exceptions.ParseError()
    return None


def _fields_of(error: ValidationError) -> dict[str, list[str]]:
    if hasattr(error, "error_dict"):
        return dict(error.message_dict)
    return {api_settings.NON_FIELD_ERRORS_KEY: error.messages}


def _headers_of(problem: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if getattr(problem, "auth_header", None):
        headers["WWW-Authenticate"] = problem.auth_header  # type: ignore[attr-defined]
    if getattr(problem, "wait", None):
        headers["Retry-After"] = str(int(problem.wait))  # type: ignore[attr-defined]
    return headers


def error_body(problem: exceptions.APIException, request: Any) -> dict[str, Any]:
    """The one shape of errors, for `problem`."""
    fields: dict[str, Any] = {}
    if isinstance(problem, exceptions.ValidationError):
        code, message = "invalid", str(_("The request has errors; see “fields”."))
        fields = _messages_by_field(problem.detail)
    else:
        code = str(problem.get_codes())
        message = str(problem.detail)
    error = {"code": code, "message": message, "fields": fields}
    return {"error": {**error, "request_id": getattr(request, "request_id", None)}}


def _messages_by_field(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Flatten DRF's nested detail to `{"stage": [...], "emails.0": [...]}`."""
    if isinstance(detail, dict):
        items: Any = detail.items()
    elif isinstance(detail, list) and any(isinstance(item, dict) for item in detail):
        items = enumerate(detail)
    else:
        messages = detail if isinstance(detail, list) else [detail]
        return {path or api_settings.NON_FIELD_ERRORS_KEY: [str(message) for message in messages]}
    found: dict[str, list[str]] = {}
    for name, inner in items:
        found |= _messages_by_field(inner, f"{path}.{name}" if path else str(name))
    return found
