"""What is wrong with a payload, in the reader's language: pydantic speaks English alone."""

from collections.abc import Iterator
from typing import Any

import pydantic
from django.utils.translation import gettext_lazy as _
from pydantic_core import ErrorDetails

WHOLE_NUMBER = _("Input should be a valid integer")
NUMBER = _("Input should be a valid number")
TRUTH = _("Input should be a valid boolean")
OBJECT = _("Input should be a valid dictionary")
LIST = _("Input should be a valid list")
DATE = _("Input should be a valid date")
MOMENT = _("Input should be a valid datetime")
TIME = _("Input should be a valid time")
SPAN = _("Input should be a valid timedelta")
DECIMAL = _("Input should be a valid decimal")
UUID_TEXT = _("Input should be a valid UUID")
ADDRESS = _("Input should be a valid URL")
CHOICE = _("Input should be one of: %(expected)s")
KIND = _("Input should have one of the known kinds")

# What payloads of JSON can be refused for; the names in them are those of the error's context.
# Source: pydantic's documentation, "Validation Errors".
SENTENCES: dict[str, Any] = {
    "missing": _("Field required"),
    "extra_forbidden": _("Extra inputs are not permitted"),
    "invalid_key": _("Keys should be strings"),
    "none_required": _("Input should be empty (null)"),
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "dict_type": OBJECT,
    "list_type": LIST,
    "tuple_type": LIST,
    "set_type": LIST,
    "frozen_set_type": LIST,
    "too_short": _("Too few entries: %(actual_length)s, and at least %(min_length)s are needed"),
    "too_long": _("Too many entries: %(actual_length)s, and at most %(max_length)s are allowed"),
    "string_type": _("Input should be a valid string"),
    "string_too_short": _("Too short: the length must be at least %(min_length)s"),
    "string_too_long": _("Too long: the length may be at most %(max_length)s"),
    "string_pattern_mismatch": _("Input should match the pattern %(pattern)s"),
    "enum": CHOICE,
    "literal_error": CHOICE,
    "bool_type": TRUTH,
    "bool_parsing": TRUTH,
    "int_type": WHOLE_NUMBER,
    "int_parsing": WHOLE_NUMBER,
    "int_from_float": WHOLE_NUMBER,
    "int_parsing_size": _("This number is too large"),
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": _("Input should be a finite number"),
    "greater_than": _("Input should be greater than %(gt)s"),
    "greater_than_equal": _("Input should be greater than or equal to %(ge)s"),
    "less_than": _("Input should be less than %(lt)s"),
    "less_than_equal": _("Input should be less than or equal to %(le)s"),
    "multiple_of": _("Input should be a multiple of %(multiple_of)s"),
    "decimal_type": DECIMAL,
    "decimal_parsing": DECIMAL,
    "decimal_max_digits": _("Too many digits: at most %(max_digits)s are allowed"),
    "decimal_max_places": _("Too many decimal places: at most %(decimal_places)s are allowed"),
    "decimal_whole_digits": _(
        "Too many digits before the decimal point: at most %(whole_digits)s are allowed"
    ),
    "date_type": DATE,
    "date_parsing": DATE,
    "date_from_datetime_parsing": DATE,
    "date_from_datetime_inexact": DATE,
    "date_past": _("Input should be in the past"),
    "date_future": _("Input should be in the future"),
    "datetime_type": MOMENT,
    "datetime_parsing": MOMENT,
    "datetime_from_date_parsing": MOMENT,
    "datetime_past": _("Input should be in the past"),
    "datetime_future": _("Input should be in the future"),
    "timezone_aware": _("Input should have timezone info"),
    "timezone_naive": _("Input should not have timezone info"),
    "time_type": TIME,
    "time_parsing": TIME,
    "time_delta_type": SPAN,
    "time_delta_parsing": SPAN,
    "uuid_type": UUID_TEXT,
    "uuid_parsing": UUID_TEXT,
    "url_type": ADDRESS,
    "url_parsing": ADDRESS,
    "url_syntax_violation": ADDRESS,
    "union_tag_invalid": KIND,
    "union_tag_not_found": KIND,
    "recursion_loop": _("This is nested too deeply."),
    # What a class's own code says.
    "value_error": "%(error)s",
    "assertion_error": "%(error)s",
}


def misfits(error: pydantic.ValidationError) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and sentence of each thing that is wrong."""
    for each in error.errors(include_url=False, include_input=False):
        yield tuple(map(str, each["loc"])), sentence_of(each)


def sentence_of(error: ErrorDetails) -> str:
    """One thing that is wrong; in pydantic's own words where nobody has translated these."""
    sentence = SENTENCES.get(error["type"])
    if sentence is None:
        return error["msg"]
    context = {name: _in_words(value) for name, value in error.get("ctx", {}).items()}
    return str(sentence) % context


def _in_words(value: Any) -> str:
    """A value of the context; the last of several stands behind a comma like the others."""
    return str(value).replace("' or '", "', '")
