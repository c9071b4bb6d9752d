"""What an endpoint's error means for the run, and how people are told.

Sources: OpenAI, "Error codes" and the client's rules for `retry-after-ms` and `x-should-retry`;
llama.cpp's server, "exceed_context_size_error"; the errors of vLLM, Ollama, DeepSeek and OpenRouter
are worded differently and lie in other places of the body.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.autopilot.completions import Form, Gathering, Takes, storable
from channels.autopilot.outcomes import AiError, Outcome

# Seconds. Who asks for more is not tried again: nobody waits that long for a draft.
LONGEST_WAIT = 3600.0
LONGEST_SAYING = 300
PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY}
# What says that an option is the trouble; some servers fall over it.
CLEAR = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.NOT_IMPLEMENTED,
}
REDIRECT, CLIENT_ERROR, SERVER_ERROR = 300, 400, 500
NO_CREDIT = re.compile(r"insufficient[_ ](?:quota|balance|credits?|funds)|billing_hard_limit")
TOO_LONG = re.compile(
    r"context[_ ](?:length|size|window)|maximum context|prompt (?:is )?too long|too many tokens"
    r"|reduce the length"
)
FILTERED = re.compile(r"content[_ ](?:filter|policy|management)|moderation|flagged")
FORM = re.compile(r"response_format|json_schema|json_object|json schema|grammar|structured output")
SAMPLING = re.compile(r"temperature|top_p|\bseed\b|penalty")
KEY = re.compile(r"\b(?:sk|gsk|pplx|xai|key)-[\w*.-]{6,}")
HIDDEN = "•••"
NEXT_FORM: Mapping[Form, Form] = {"json_schema": "json_object", "json_object": "text"}

NO_COMPLETION = _("The endpoint's answer is no completion: check its address.")
NOT_REACHED = _("The model's server cannot be reached.")
NO_ANSWER = _("The model's server ended the connection without an answer.")
CUT = _("The model's answer broke off.")
EMPTY = _("The model answered nothing.")


@dataclass(frozen=True)
class Problem:
    """An error as a server reports it.

    Attributes:
        status: HTTP's; of an error within a stream what it names, else 0.
        said: the server's words, short and without the key.
        words: all that names the trouble, in small letters, to be searched.
        retry_after: seconds, as asked for.
        may_retry: what the server says about that, if it does.
    """

    status: int
    said: str
    words: str
    retry_after: float | None = None
    may_retry: bool | None = None


def problem_of(
    status: int, headers: Mapping[str, str], told: Mapping[str, Any], key: str, now: datetime
) -> Problem:
    """The error in an answer.

    Args:
        told: its body, or the object within it; empty where it is none.
        key: struck out of what is said: some servers repeat it.
    """
    error = told.get("error", told)
    error = error if isinstance(error, Mapping) else {"message": error}
    said = next((value for name in ("message", "detail", "error", "title")
                 if isinstance(value := error.get(name), str) and value), "")  # fmt: skip
    named = [str(error.get(name) or "") for name in ("code", "type", "param")]
    told_retry = {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower())
    return Problem(
        status=status,
        said=_quotable(said, key),
        words=_without(key, " ".join([*named, said]))[:5000].lower(),
        retry_after=seconds_asked(headers, now),
        may_retry=told_retry,
    )


def problem_within(error: Mapping[str, Any], key: str) -> Problem:
    """The error that a stream reports after it has begun."""
    codes = (error.get(name) for name in ("status", "code"))
    status = next(
        (code for code in codes if isinstance(code, int) and CLIENT_ERROR <= code < 600), 0
    )
    return problem_of(status, {}, error, key, datetime.now(UTC))


def seconds_asked(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long a server asks to be left alone; None: it does not, or nobody can tell."""
    if (thousandths := _number(headers.get("retry-after-ms", ""))) is not None:
        return thousandths / 1000
    asked = headers.get("retry-after", "").strip()
    if (seconds := _number(asked)) is not None or not asked:
        return seconds
    try:
        at = parsedate_to_datetime(asked)
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def error_of(problem: Problem) -> AiError:
    """What is to be raised for it."""
    error = _meaning(problem)
    if problem.said:
        error.reason = format_lazy("{reason} “{said}”", reason=error.reason, said=problem.said)
    asked = problem.retry_after
    if error.is_permanent or asked is None:
        error.is_permanent |= problem.may_retry is False
    elif asked > LONGEST_WAIT or problem.may_retry is False:
        error.is_permanent = True
    else:
        error.retry_after = asked
    return error


def takes_less(takes: Takes, problem: Problem, options: frozenset[str]) -> Takes | None:
    """What is still to be tried with an endpoint that does not know an option; None: nothing.

    Args:
        options: names of the options of our own that were sent, such as "temperature".
    """
    words = problem.words
    if problem.status not in CLEAR or TOO_LONG.search(words):
        return None
    if takes.stream_usage and ("stream_options" in words or "include_usage" in words):
        return replace(takes, stream_usage=False)
    if takes.limit == "max_tokens" and "max_completion_tokens" in words:
        return replace(takes, limit="max_completion_tokens")
    if takes.limit == "max_completion_tokens" and "max_completion_tokens" in words:
        return replace(takes, limit="max_tokens")
    if takes.form in NEXT_FORM and FORM.search(words):
        return replace(takes, form=NEXT_FORM[takes.form])
    is_named = SAMPLING.search(words) or any(name.lower() in words for name in options)
    if takes.sampling and options and is_named:
        return replace(takes, sampling=False)
    return None


def flaw_of(gathered: Gathering, text: str) -> AiError | None:
    """Why an answer cannot be used; None: it can."""
    match gathered.finish_reason:
        case "" if gathered.is_done and not text and not gathered.refusal:
            return AiError(Outcome.EMPTY, EMPTY)
        case "" if not gathered.refusal:
            return AiError(Outcome.CUT, CUT)
        case "length":
            reason = _("The model's answer is longer than allowed.")
            return AiError(Outcome.TRUNCATED, reason, is_permanent=True)
        case "error":
            return AiError(Outcome.UNAVAILABLE, _("The model's server is down or busy."))
        case "tool_calls" | "function_call":
            return AiError(Outcome.INVALID, _("The model wants to call something; it may not."))
    if gathered.finish_reason == "content_filter" or gathered.refusal:
        reason = _("The model's provider refuses to answer this.")
        return AiError(Outcome.REFUSED, reason, is_permanent=True)
    return None if text else AiError(Outcome.EMPTY, EMPTY)


def _meaning(problem: Problem) -> AiError:
    status, words = problem.status, problem.words
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or TOO_LONG.search(words):
        return AiError(
            Outcome.TOO_LONG, _("The conversation is longer than the model reads."),
            is_permanent=True)  # fmt: skip
    if status == HTTPStatus.PAYMENT_REQUIRED or NO_CREDIT.search(words):
        return AiError(
            Outcome.RATE_LIMITED, _("The account at the model's provider has no money left."),
            is_permanent=True, stops_endpoint=True)  # fmt: skip
    if FILTERED.search(words) and status < SERVER_ERROR:
        return AiError(
            Outcome.REFUSED, _("The model's provider refuses to answer this."),
            is_permanent=True)  # fmt: skip
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return AiError(
            Outcome.UNAUTHORIZED, _("The model's provider does not accept the key."),
            is_permanent=True, stops_endpoint=True)  # fmt: skip
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return AiError(Outcome.RATE_LIMITED, _("Too many requests to the model's provider."))
    return _by_status(status)


def _by_status(status: int) -> AiError:
    if status == 0 or status >= SERVER_ERROR or status in PASSING:
        return AiError(Outcome.UNAVAILABLE, _("The model's server is down or busy."))
    if REDIRECT <= status < CLIENT_ERROR:
        reason = _("The model's server sends us to another address: enter that one.")
    elif status == HTTPStatus.NOT_FOUND:
        reason = _("The model's server knows neither the address nor the model: check both.")
    else:
        reason = format_lazy(_("The model's server refused with status {status}."), status=status)
    return AiError(Outcome.FAILED, reason, is_permanent=True)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _quotable(said: str, key: str) -> str:
    bare = " ".join(storable(_without(key, said)[:5000]).split())
    return KEY.sub(HIDDEN, bare)[:LONGEST_SAYING]


def _without(key: str, text: str) -> str:
    return text.replace(key, HIDDEN) if key else text
