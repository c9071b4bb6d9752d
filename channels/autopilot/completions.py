"""What an OpenAI-compatible endpoint answers, read without trust: text, ending and usage.

Sources: OpenAI's API reference, "Chat completions" and "Streaming"; WHATWG HTML, "Server-sent
events". Pure: bytes and JSON go in, values come out.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

# No call has more tokens than this; a number above it is a mistake, or meant to do harm.
MOST_TOKENS = 10_000_000
# Tokens that a vendor adds where nobody sees it: a prompt of its own, thoughts. All others
# have one byte at least of what went over the wire.
HIDDEN = 20_000
# UTF-8 bytes a token, on the dear side: English has about four, other languages fewer.
BYTES_A_TOKEN = 3
DONE = "[DONE]"
LONGEST_MODEL = 100
# Bytes; a whole answer may come in one event.
LONGEST_LINE = 1_000_000
# Characters of an answer, which is kept and shown while it comes: nothing here asks for as many.
LONGEST_TEXT = 200_000


class Unreadable(Exception):
    """Bytes that are no completion."""


class Failure(Exception):
    """The server reports an error within a stream that had begun well."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__("an error within the answer")
        self.error = error


@dataclass(frozen=True)
class Usage:
    """Tokens that are to be paid.

    Attributes:
        prompt_tokens: all that was read, the cached ones included.
        cached_tokens: those read from a cache, at a lower price.
        completion_tokens: all that was written, the reasoning included.
        reasoning_tokens: those of it that nobody sees.
        is_estimated: the server told nothing believable; the numbers are on the dear side.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    is_estimated: bool = False


NOTHING_USED = Usage()


Form = Literal["json_schema", "json_object", "text"]
Limit = Literal["max_tokens", "max_completion_tokens"]


@dataclass(frozen=True)
class Takes:
    """Which of the options an endpoint takes. The defaults are what OpenAI's own takes.

    Attributes:
        form: how an answer by a schema can be asked for: "json_schema", "json_object" or "text".
        stream_usage: it counts tokens when it streams and is asked to.
        limit: what it calls the most tokens to write: "max_tokens", "max_completion_tokens".
        sampling: it takes options such as a temperature.
    """

    form: Form = "json_schema"
    stream_usage: bool = True
    limit: Limit = "max_tokens"
    sampling: bool = True


@dataclass(frozen=True)
class Completion:
    """A whole answer.

    Attributes:
        text: without reasoning; never blank.
        model: what the server says has answered.
        parsed: the text as the wanted schema, validated here; None where none was wanted.
        takes: what the endpoint was found to take; to be kept for the next call.
        first_token_ms: milliseconds from the request to the first text; with `latency_ms` that to
            its end.
    """

    text: str
    model: str
    usage: Usage
    takes: Takes
    finish_reason: str
    first_token_ms: int
    latency_ms: int
    parsed: BaseModel | None = None


# --- The stream --------------------------------------------------------------------------------


class EventReader:
    """Takes a stream of server-sent events apart, whatever the pieces it comes in."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[str] = []
        self._begun = False

    def feed(self, piece: bytes) -> Iterator[str]:
        """The data of the events that this piece completes.

        Raises:
            Unreadable: a line does not come to an end.
        """
        self._rest += piece
        if len(self._rest) > LONGEST_LINE:
            raise Unreadable
        # Each byte is looked at once, however small the pieces are.
        if b"\n" not in piece and b"\r" not in piece:
            return
        lines = bytes(self._rest).splitlines(keepends=True)
        # A carriage return at the end may be half of a line's end.
        self._rest = bytearray(b"" if lines[-1].endswith(b"\n") else lines.pop())
        for line in lines:
            yield from self._take(line.rstrip(b"\r\n"))

    def finish(self) -> Iterator[str]:
        """The data of the last event where the blank line after it is missing."""
        yield from self._take(bytes(self._rest).rstrip(b"\r\n"))
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[str]:
        if not self._begun:
            self._begun, line = True, line.removeprefix(b"\xef\xbb\xbf")
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" ").decode("utf-8", "replace"))
        if not line and self._data:
            yield "\n".join(self._data)
            self._data = []


@dataclass
class Gathering:
    """An answer while it comes.

    Attributes:
        finish_reason: why it ended; empty: it has not, whatever the connection says.
        is_done: nothing more will come, the server says; that alone is no ending of the text.
        refusal: why the model does not answer, in its words.
        told_usage: as the server wrote it.
    """

    text: str = ""
    finish_reason: str = ""
    refusal: str = ""
    model: str = ""
    told_usage: object = None
    is_done: bool = False
    reasoning_bytes: int = 0

    def take(self, data: str) -> str:
        """Take the data of an event; returns the text that it adds.

        Raises:
            Unreadable: it is none of a completion's.
            Failure: the server gives up.
        """
        if data.strip() == DONE:
            self.is_done = True
            return ""
        return self.take_object(object_of(data), "delta")

    def take_object(self, told: Mapping[str, Any], part: str) -> str:
        """Take an object of a stream (`part` "delta") or a whole answer ("message")."""
        if isinstance(error := told.get("error"), Mapping | str):
            raise Failure(error if isinstance(error, Mapping) else {"message": error})
        choices = told.get("choices") or []
        if not isinstance(choices, list):
            raise Unreadable
        self._take_outside(told)
        for choice in choices:
            # Only one answer was asked for.
            if isinstance(choice, Mapping) and choice.get("index", 0) in (0, None):
                return self._take_choice(choice, part)
        return ""

    def _take_outside(self, told: Mapping[str, Any]) -> None:
        if told.get("usage") is not None:
            self.told_usage = told["usage"]
        if isinstance(model := told.get("model"), str) and model:
            self.model = storable(model)[:LONGEST_MODEL]

    def _take_choice(self, choice: Mapping[str, Any], part: str) -> str:
        content = choice.get(part)
        content = content if isinstance(content, Mapping) else {}
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self.finish_reason = reason
        if isinstance(refusal := content.get("refusal"), str):
            self.refusal += storable(refusal)
        for name in ("reasoning_content", "reasoning"):
            if isinstance(thought := content.get(name), str):
                self.reasoning_bytes += len(thought.encode("utf-8", "replace"))
                break
        added = _text_in(content.get("content"))
        self.text += added
        if len(self.text) > LONGEST_TEXT:
            self.text = self.text[:LONGEST_TEXT]
            raise Unreadable
        return added


def object_of(text: str) -> Mapping[str, Any]:
    """The JSON object that a text is.

    Raises:
        Unreadable: it is none.
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Unreadable
    return told


def storable(text: str) -> str:
    """Without null characters and halves of characters, which PostgreSQL cannot hold."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def without_reasoning(text: str) -> str:
    """The answer of a local model that thinks aloud before it, between <think> and </think>."""
    bare = text.strip()
    if bare.startswith("<think>"):
        return bare.partition("</think>")[2].strip()
    return bare


def _text_in(content: object) -> str:
    """Text, or the texts of a list of parts."""
    if isinstance(content, str):
        return storable(content)
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, Mapping))
    return "".join(storable(text) for text in texts if isinstance(text, str))


# --- Usage -------------------------------------------------------------------------------------


def usage_of(told: object, *, prompt: int, written: int, most: int = 0) -> Usage:
    """What an answer has used: what the server tells if that can be, else an estimate.

    Args:
        told: the object `usage` of the answer, or anything else.
        prompt: UTF-8 bytes of what was asked.
        written: UTF-8 bytes of what was answered, the reasoning included.
        most: tokens that it might have written.
    """
    most_read, most_written = prompt + HIDDEN, max(written, most) + HIDDEN
    usage = _read_usage(told, is_written=written > 0)
    if usage and usage.prompt_tokens <= most_read and usage.completion_tokens <= most_written:
        return usage
    total = _count(told, "total_tokens") or 0
    return estimate(prompt, written, total if total <= most_read + most_written else 0)


def estimate(prompt: int, written: int, total: int = 0) -> Usage:
    """An estimate from the numbers of bytes, on the dear side; a larger total that is told wins."""
    asked, answered = -(-prompt // BYTES_A_TOKEN), -(-written // BYTES_A_TOKEN)
    return Usage(asked, 0, max(answered, total - asked), 0, is_estimated=True)


def _read_usage(told: object, *, is_written: bool) -> Usage | None:
    asked, answered = _count(told, "prompt_tokens"), _count(told, "completion_tokens")
    cached, thought = _cached(told), _reasoning(told)
    if asked is None or answered is None or cached is None or thought is None:
        return None
    total = _count(told, "total_tokens", asked + answered)
    if thought and total == asked + answered + thought:
        # Some count the reasoning beside what is written, and charge for it all the same.
        answered += thought
    is_sound = total == asked + answered and cached <= asked and thought <= answered and asked > 0
    if not is_sound or (is_written and not answered):
        return None
    return Usage(asked, cached, answered, thought)


def _cached(told: object) -> int | None:
    """Cached tokens, in the names of OpenAI, DeepSeek and Moonshot."""
    details = told.get("prompt_tokens_details") if isinstance(told, Mapping) else None
    if isinstance(details, Mapping) and details.get("cached_tokens") is not None:
        return _count(details, "cached_tokens", 0)
    return _count(told, "prompt_cache_hit_tokens", _count(told, "cached_tokens", 0))


def _reasoning(told: object) -> int | None:
    details = told.get("completion_tokens_details") if isinstance(told, Mapping) else None
    return _count(details, "reasoning_tokens", 0) if details is not None else 0


def _count(told: object, name: str, missing: int | None = None) -> int | None:
    """A number of tokens; `missing` where there is none, None where it cannot be one."""
    value = told.get(name) if isinstance(told, Mapping) else None
    if value is None:
        return missing
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= MOST_TOKENS else None
