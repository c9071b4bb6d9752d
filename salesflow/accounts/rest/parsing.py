"""What bodies the API takes."""

import math
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, status
from rest_framework.parsers import JSONParser

DEEPEST = 32


class PayloadTooLarge(exceptions.APIException):
    """The body exceeds `DATA_UPLOAD_MAX_MEMORY_SIZE`."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "payload_too_large"
    default_detail = gettext_lazy("The body is too large: at most 2 MB are taken.")


class LimitedJSONParser(JSONParser):
    """JSON of bounded depth, of which PostgreSQL can store everything; Django bounds its size."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Return the parsed body.

        Raises:
            ParseError: malformed, too deep, or with characters or numbers that cannot be kept.
        """
        try:
            # JSON is UTF-8, whatever the header says (RFC 8259, section 8.1).
            data = super().parse(stream, media_type, {**parser_context, "encoding": "utf-8"})
        except RecursionError:
            raise _too_deep() from None
        _refuse_unstorable(data)
        return data


def _too_deep() -> exceptions.ParseError:
    return exceptions.ParseError(_("The body is nested too deeply."))


def _refuse_unstorable(data: Any, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise _too_deep()
    if isinstance(data, str):
        _refuse_unstorable_text(data)
    elif isinstance(data, float) and not math.isfinite(data):
        raise exceptions.ParseError(_("The body contains a number that is too large."))
    elif isinstance(data, dict):
        for key, value in data.items():
            _refuse_unstorable_text(key)
            _refuse_unstorable(value, depth + 1)
    elif isinstance(data, list):
        for item in data:
            _refuse_unstorable(item, depth + 1)


def _refuse_unstorable_text(text: str) -> None:
    if "\x00" in text:
        raise exceptions.ParseError(_("The body contains a NUL character (\\u0000)."))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise exceptions.ParseError(
            _("The body contains half of a surrogate pair (\\ud800 to \\udfff).")
        ) from None
