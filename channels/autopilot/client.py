"""The one way to a model: any endpoint that speaks OpenAI's chat completions.

Over `httpcore`, which `httpx` brings, and without the package `openai`: all that a run has to know
about a call that went wrong lies below that package. It ends a cut stream as if it were whole, lets
errors of the connection through as they come, holds no deadline over an answer, follows redirects,
and would bring a second HTTP library. The tests use it to check the server that they check this
against.

Nothing is tried twice: that is the engine's. What is done again is asking in another way after an
endpoint has clearly refused an option it does not know, which costs nothing.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict

import httpcore
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, SecretStr

from channels.autopilot import structured
from channels.autopilot.completions import (
    NOTHING_USED,
    Completion,
    EventReader,
    Failure,
    Gathering,
    Takes,
    Unreadable,
    Usage,
    estimate,
    object_of,
    usage_of,
    without_reasoning,
)
from channels.autopilot.errors import (
    CUT,
    NO_ANSWER,
    NO_COMPLETION,
    NOT_REACHED,
    REDIRECT,
    Problem,
    error_of,
    flaw_of,
    problem_of,
    problem_within,
    takes_less,
)
from channels.autopilot.outcomes import AiError, Outcome
from channels.autopilot.wire import (
    AddressRefused,
    Answer,
    Line,
    TooMuch,
    check_address,
    exchange,
)

# Ways to ask: each of four options can turn out to be unknown, one of them twice.
MOST_WAYS = 6
LONGEST_ERROR = 65_536
HOLDING_THE_KEY = ("httpcore", "channels.autopilot.wire")
# Seconds that the count of tokens may come after the answer.
AFTERWARDS = 5.0
# UTF-8 bytes for the marks around a message in a prompt.
ENVELOPE = 24
# What an endpoint's options must not say: we do.
OURS = {
    "messages", "model", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens",
    "response_format", "tools", "tool_choice", "functions", "function_call",
}  # fmt: skip


class Message(TypedDict):
    """A part of the prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Endpoint:
    """Where a model is.

    Attributes:
        base_url: up to before "/chat/completions".
        takes: what the last call found out.
        options: more of the request, such as a temperature; left out where they are refused.
        allows_private: it may lie on this machine or in a private network.
        silence: seconds to wait for the next piece of an answer.
    """

    base_url: str
    model: str
    key: SecretStr = field(default_factory=lambda: SecretStr(""))
    takes: Takes = field(default_factory=Takes)
    options: Mapping[str, Any] = field(default_factory=dict)
    allows_private: bool = False
    silence: float = 60.0

    def __post_init__(self) -> None:
        if wrong := OURS.intersection(self.options):
            raise ValueError(f"{', '.join(sorted(wrong))}: not to be set as an option")
        # Not in a variable: reports of errors show those.
        if (
            not self.key.get_secret_value().isascii()
            or not self.key.get_secret_value().isprintable()
        ):
            raise ValueError("the key has characters that no key has")


def complete(
    endpoint: Endpoint,
    messages: Sequence[Message],
    *,
    schema: type[BaseModel] | None = None,
    max_tokens: int,
    deadline: float,
    on_text: Callable[[str], None] | None = None,
) -> Completion:
    """Ask a model once, and wait for the whole answer.

    Args:
        schema: what the answer has to be; it is checked here, whatever the endpoint promises.
        deadline: seconds for all of it, from the connection to the last byte.
        on_text: is given each piece of the text as it comes, reasoning of local models included.
            What it raises ends the call and is raised.

    Raises:
        AiError: there is no usable answer; it says why, and what has to be paid.
    """
    call = _Call(endpoint, messages, schema, max_tokens, deadline, on_text)
    try:
        result = call.result()
    except BaseException as error:
        _strip(error)
        raise
    if isinstance(result, Exception):
        raise result
    return result


class _Interrupted(Exception):
    """Who is given the text wants no more of it."""


class _Call:
    """An answer being asked for, in as many ways as the endpoint needs."""

    def __init__(
        self,
        endpoint: Endpoint,
        messages: Sequence[Message],
        schema: type[BaseModel] | None,
        max_tokens: int,
        deadline: float,
        on_text: Callable[[str], None] | None,
    ) -> None:
        self.endpoint, self.messages, self.schema = endpoint, messages, schema
        self.max_tokens, self.on_text = max_tokens, on_text
        self.ends_at = time.monotonic() + deadline
        self.interruption: Exception = _Interrupted()
        self._begin(endpoint.takes)

    def _begin(self, takes: Takes) -> None:
        self.takes = takes
        self.started = time.monotonic()
        self.first_text: float | None = None
        self.gathered = Gathering()
        self.line = Line(self.ends_at, self.endpoint.silence, self.endpoint.allows_private)

    def result(self) -> Completion | Exception:
        """The answer, or why there is none."""
        takes = self.endpoint.takes
        for _way in range(MOST_WAYS):
            self._begin(takes)
            answer = self._asked()
            if not isinstance(answer, Problem):
                return answer
            less = takes_less(takes, answer, frozenset(self.endpoint.options))
            if less is None:
                return error_of(answer)
            takes = less
        reason = _("The model's server refuses every way of asking that we know.")
        return AiError(Outcome.FAILED, reason, is_permanent=True)

    def _asked(self) -> Completion | Exception | Problem:
        """Ask in one way. Errors are returned: what is raised would hold those it comes from."""
        try:
            check_address(self.endpoint.base_url, allows_private=self.endpoint.allows_private)
            problem = self._exchange()
        except AddressRefused as error:
            return AiError(Outcome.FAILED, error.reason, is_permanent=True)
        except Failure as error:
            return self._paid(error_of(problem_within(error.error, self._key)))
        except (Unreadable, TooMuch):
            return self._paid(AiError(Outcome.INVALID, NO_COMPLETION))
        except httpcore.TimeoutException:
            return self._timed_out()
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            return self._lost()
        except _Interrupted:
            return self.interruption
        return problem or self._judged()

    # --- Over the wire ---------------------------------------------------------------------------

    def _exchange(self) -> Problem | None:
        url = f"{self.endpoint.base_url.rstrip('/')}/chat/completions"
        with exchange(url, self._headers(), self._body(), self.line) as answer:
            if answer.status >= REDIRECT:
                return self._problem(answer)
            if "json" in answer.headers.get("content-type", ""):
                self._take_whole(answer)
            elif "event-stream" in answer.headers.get("content-type", ""):
                self._take_stream(answer)
            else:
                raise Unreadable
        return None

    @property
    def _key(self) -> str:
        return self.endpoint.key.get_secret_value()

    def _headers(self) -> dict[str, str]:
        headers = {
            "Host": _host_of(self.endpoint.base_url),
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "SalesFlow",
        }
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    def _body(self) -> bytes:
        takes, schema = self.takes, self.schema
        body = dict(self.endpoint.options) if takes.sampling else {}
        body |= {"model": self.endpoint.model, "messages": self._prompt(), "stream": True}
        body[takes.limit] = self.max_tokens
        if takes.stream_usage:
            body["stream_options"] = {"include_usage": True}
        if schema and (form := structured.response_format(schema, takes.form)):
            body["response_format"] = form
        return json.dumps(body).encode()

    def _prompt(self) -> list[Message]:
        messages = list(self.messages)
        if self.schema is None or self.takes.form == "json_schema":
            return messages
        words = structured.instruction(self.schema)
        if messages and messages[0]["role"] == "system":
            # Some models know only one message of the system's.
            words = f"{messages.pop(0)['content']}\n\n{words}"
        return [Message(role="system", content=words), *messages]

    def _problem(self, answer: Answer) -> Problem:
        try:
            told = object_of(b"".join(answer.pieces(LONGEST_ERROR)).decode("utf-8", "replace"))
        except (Unreadable, TooMuch, httpcore.TimeoutException, httpcore.NetworkError,
                httpcore.ProtocolError):  # fmt: skip
            told = {}
        return problem_of(answer.status, answer.headers, told, self._key, datetime.now(UTC))

    def _take_whole(self, answer: Answer) -> None:
        told = object_of(b"".join(answer.pieces()).decode("utf-8", "replace"))
        self.gathered.is_done = True
        self._tell(self.gathered.take_object(told, "message"))

    def _take_stream(self, answer: Answer) -> None:
        events = EventReader()
        for piece in answer.pieces():
            for data in events.feed(piece):
                self._take(data)
            if self.gathered.is_done:
                return
        for data in events.finish():
            self._take(data)

    def _take(self, data: str) -> None:
        self._tell(self.gathered.take(data))
        if self.gathered.finish_reason:
            self.line.hurry(AFTERWARDS)

    def _tell(self, text: str) -> None:
        if not text:
            return
        if self.first_text is None:
            self.first_text = time.monotonic()
        if self.on_text:
            try:
                self.on_text(text)
            except Exception as error:
                self.interruption = error
                raise _Interrupted from None

    # --- What came of it -------------------------------------------------------------------------

    def _timed_out(self) -> Completion | AiError:
        if self.gathered.finish_reason:
            return self._judged()
        if not self.line.has_asked:
            return AiError(Outcome.UNAVAILABLE, NOT_REACHED)
        return self._paid(AiError(Outcome.TIMEOUT, _("The model took too long to answer.")))

    def _lost(self) -> Completion | AiError:
        if self.gathered.finish_reason:
            return self._judged()
        if not self.line.has_asked:
            return AiError(Outcome.UNAVAILABLE, NOT_REACHED)
        if not self.line.has_heard:
            return self._paid(AiError(Outcome.UNAVAILABLE, NO_ANSWER))
        return self._paid(AiError(Outcome.CUT, CUT))

    def _judged(self) -> Completion | AiError:
        """What is left of an answer that has come to its end."""
        gathered = self.gathered
        text = without_reasoning(gathered.text)
        error = flaw_of(gathered, text)
        parsed = None
        if error is None and self.schema:
            try:
                parsed = structured.read(text, self.schema)
            except Unreadable:
                error = AiError(Outcome.INVALID, _("The model did not keep to the form asked for."))
        return self._paid(error) if error else self._completion(text, parsed)

    def _completion(self, text: str, parsed: BaseModel | None) -> Completion:
        now = time.monotonic()
        return Completion(
            text=text,
            model=self.gathered.model or self.endpoint.model,
            usage=self._usage(),
            takes=self.takes,
            finish_reason=self.gathered.finish_reason,
            first_token_ms=_milliseconds((self.first_text or now) - self.started),
            latency_ms=_milliseconds(now - self.started),
            parsed=parsed,
        )

    def _paid(self, error: AiError) -> AiError:
        error.usage, error.text = self._usage(), self.gathered.text
        return error

    def _usage(self) -> Usage:
        """What has to be paid. Of an answer of which nothing was heard, that may be all of it."""
        if not self.line.has_asked:
            return NOTHING_USED
        prompt = prompt_bytes(self._prompt())
        written = len(self.gathered.text.encode("utf-8", "replace")) + self.gathered.reasoning_bytes
        if not written and self.gathered.told_usage is None and not self.gathered.is_done:
            return replace(estimate(prompt, 0), completion_tokens=self.max_tokens)
        told = self.gathered.told_usage
        return usage_of(told, prompt=prompt, written=written, most=self.max_tokens)


def prompt_bytes(messages: Sequence[Message]) -> int:
    """UTF-8 bytes of a prompt, with what stands around its messages."""
    contents = (message["content"].encode("utf-8", "replace") for message in messages)
    return sum(len(content) + ENVELOPE for content in contents)


def most_usage(
    messages: Sequence[Message], max_tokens: int, schema: type[BaseModel] | None = None
) -> Usage:
    """More than a call can use: what a budget has to hold ready for it.

    A token has one byte at least.
    """
    said = structured.instruction(schema).encode() if schema else b""
    return Usage(prompt_bytes(messages) + len(said), 0, max_tokens, 0, is_estimated=True)


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _strip(error: BaseException) -> None:
    """Take the frames of the HTTP library out of an unforeseen error: they hold the key.

    Errors of `on_text` have none of them and stay as they are.
    """
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_globals.get("__name__", "").startswith(HOLDING_THE_KEY):
            error.__traceback__ = error.__cause__ = error.__context__ = None
            return
        frame = frame.tb_next
