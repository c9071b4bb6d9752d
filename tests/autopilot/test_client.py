"""Whole answers: what is asked, what comes back, and how endpoints are asked that know less."""

import json
import threading
from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

import pytest
from pydantic import BaseModel, SecretStr

from channels.autopilot.client import Endpoint, Message, complete, most_usage
from channels.autopilot.completions import Completion, Takes, Usage
from channels.autopilot.structured import schema_of
from tests.autopilot.endpoint import KEY, MODEL, USAGE, Peer, Server, chunk, event, messages, whole

SAID = Usage(prompt_tokens=30, cached_tokens=10, completion_tokens=5)


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


class Reason(BaseModel):
    text: str


class Answer(BaseModel):
    action: Literal[0, 1]
    mood: Mood
    reasons: list[Reason]
    note: str | None


GOOD = {"action": 1, "mood": "good", "reasons": [{"text": "because"}], "note": None}


def make_endpoint(server: Server, **given: object) -> Endpoint:
    given = {"model": MODEL, "key": SecretStr(KEY), "allows_private": True, "silence": 5.0} | given
    return Endpoint(base_url=server.url, **given)  # type: ignore[arg-type]


def ask(server: Server, *, deadline: float = 10, **given: object) -> Completion:
    schema = given.pop("schema", None)
    on_text = given.pop("on_text", None)
    return complete(
        make_endpoint(server, **given),
        messages(),
        schema=schema,  # type: ignore[arg-type]
        max_tokens=50,
        deadline=deadline,
        on_text=on_text,  # type: ignore[arg-type]
    )


def test_answer_comes_with_its_usage(server: Server) -> None:
    heard: list[str] = []
    completion = ask(server, on_text=heard.append)
    assert completion.text == server.text
    assert "".join(heard) == server.text
    assert len(heard) > 1
    assert (completion.usage, completion.model) == (SAID, MODEL)
    assert completion.finish_reason == "stop"
    assert 0 <= completion.first_token_ms <= completion.latency_ms < 10_000


def test_request_says_all_and_nothing_else(server: Server) -> None:
    ask(server, options={"temperature": 0.2})
    asked = server.asked[0]
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.body == {
        "model": MODEL,
        "messages": messages(),
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 50,
        "temperature": 0.2,
    }


def test_text_is_told_while_it_comes(server: Server) -> None:
    heard = threading.Event()

    def talk(peer: Peer) -> None:
        peer.begin_stream()
        peer.event(chunk("first"))
        assert heard.wait(10)
        peer.event(chunk(" second", finish="stop"))
        peer.end_stream()

    server.then(talk)
    assert ask(server, on_text=lambda _text: heard.set()).text == "first second"


def test_first_text_is_timed_apart_from_the_end(server: Server) -> None:
    heard = threading.Event()

    def talk(peer: Peer) -> None:
        peer.begin_stream()
        peer.event(chunk("first"))
        heard.wait(10)
        peer.released.wait(0.3)
        peer.event(chunk(" second", finish="stop"))
        peer.end_stream()

    server.then(talk)
    completion = ask(server, on_text=lambda _text: heard.set())
    assert completion.latency_ms - completion.first_token_ms >= 250


def test_server_that_cannot_stream_is_understood(server: Server) -> None:
    heard: list[str] = []
    server.then_answer(whole([{"type": "text", "text": "Gu"}, {"type": "text", "text": "ten"}]))  # type: ignore[arg-type]
    completion = ask(server, on_text=heard.append)
    assert (completion.text, completion.usage, heard) == ("Guten", SAID, ["Guten"])


def test_events_are_read_in_whatever_pieces_they_come(server: Server) -> None:
    whole_stream = b"\xef\xbb\xbf: hello\r\n\r\n" + b"".join(
        (
            b"event: message\nid: 7\n" + event(chunk("Gr\u00fc\u00df ")),
            event(chunk("Gott")).replace(b"\n", b"\r\n"),
            b'data: {"choices": [{"index": 0,\ndata:  "delta": {"content": "!"}}]}\n\n',
            b": keep-alive\n\n",
            event({**chunk("no"), "choices": [{"index": 1, "delta": {"content": "other"}}]}),
            event(chunk(finish="stop")),
            b"data: [DONE]",
        )
    )

    def drip(peer: Peer) -> None:
        peer.begin_stream()
        for at in range(0, len(whole_stream), 3):
            peer.chunk(whole_stream[at : at + 3])
        peer.end_stream(done=False)

    server.then(drip)
    assert ask(server).text == "Grüß Gott!"


def test_nobody_waits_for_a_server_that_leaves_the_connection_open(server: Server) -> None:
    def talk(peer: Peer) -> None:
        peer.begin_stream()
        peer.event(chunk("Ja.", finish="stop"))
        peer.event("[DONE]")
        peer.wait()

    server.then(talk)
    assert ask(server, deadline=60).latency_ms < 4_000


@pytest.mark.parametrize("place", ["before", "after"])
def test_usage_is_taken_from_any_part(server: Server, place: str) -> None:
    told = {**chunk(" Ja."), "usage": USAGE}
    parts = (
        [told, chunk(finish="stop")]
        if place == "before"
        else [chunk(" Ja."), {**chunk(finish="stop"), "usage": USAGE}]
    )
    server.then_stream(*parts, done=place == "before")
    assert ask(server).usage == SAID


def test_whole_answer_counts_though_the_usage_never_comes(server: Server) -> None:
    def talk(peer: Peer) -> None:
        peer.begin_stream()
        peer.event(chunk("Ja.", finish="stop"))
        peer.socket.close()

    server.then(talk)
    completion = ask(server)
    assert completion.text == "Ja."
    assert completion.usage.is_estimated
    assert completion.usage.completion_tokens == 1


def test_reasoning_is_counted_and_not_shown(server: Server) -> None:
    server.then_stream(
        chunk(None, reasoning_content="Hm, hm, hm."), chunk("Ja."), chunk(finish="stop")
    )
    completion = ask(server)
    assert (completion.text, completion.usage.completion_tokens) == ("Ja.", 5)
    server.then_stream(chunk("<think>Is it so?"), chunk("</think>\n\nJa."), chunk(finish="stop"))
    assert ask(server).text == "Ja."


def test_signs_that_no_database_holds_are_left_out(server: Server) -> None:
    server.then_stream(json.dumps(chunk("a\x00b\ud800c", finish="stop") | {"model": "m\x00"}))
    completion = ask(server)
    assert (completion.text, completion.model) == ("abc", "m")


def test_local_server_needs_no_key(server: Server) -> None:
    server.then_stream(chunk("Ja.", finish="stop"))
    ask(server, key=SecretStr(""))
    assert "authorization" not in server.asked[0].headers


def test_who_is_told_may_end_the_call(server: Server) -> None:
    class Superseded(OSError):
        pass

    def stop(_text: str) -> None:
        raise Superseded

    with pytest.raises(Superseded):
        ask(server, on_text=stop)


@pytest.mark.parametrize("option", ["messages", "stream", "tools", "n"])
def test_options_must_not_change_what_is_asked(server: Server, option: str) -> None:
    with pytest.raises(ValueError, match=option):
        make_endpoint(server, options={option: 1})


# --- Answers by a schema -------------------------------------------------------------------------


def test_schema_is_asked_for_and_checked(server: Server) -> None:
    server.then_stream(*[chunk(part) for part in json.dumps(GOOD)], chunk(finish="stop"))
    completion = ask(server, schema=Answer)
    assert completion.parsed == Answer.model_validate(GOOD)
    asked = server.asked[0].body["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["strict"] is True
    assert asked["json_schema"]["schema"] == schema_of(Answer)


def test_schema_is_plain_closed_and_all_required() -> None:
    assert schema_of(Answer) == {
        "type": "object",
        "properties": {
            "action": {"enum": [0, 1], "type": "integer"},
            "mood": {"enum": ["good", "bad"], "type": "string"},
            "reasons": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"text": {"type": "string"}},
                    "required": ["text"],
                    "additionalProperties": False,
                },
            },
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["action", "mood", "reasons", "note"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "written",
    [
        f"```json\n{json.dumps(GOOD)}\n```",
        f"Here it is:\n```\n{json.dumps(GOOD, indent=1)}\n```\nBye",
        f"\n {json.dumps(GOOD)} \n",
        f"<think>hm</think>{json.dumps(GOOD)}",
    ],
)
def test_object_in_a_fence_is_read(server: Server, written: str) -> None:
    server.then_stream(chunk(written, finish="stop"))
    assert ask(server, schema=Answer).parsed == Answer.model_validate(GOOD)


def refused(param: str, said: str, status: int = 400) -> tuple[int, dict[str, str]]:
    return status, {"message": said, "type": "invalid_request_error", "param": param}


@pytest.mark.parametrize(
    ("refusals", "takes"),
    [
        ([refused("stream_options", "Unknown parameter: 'stream_options'.")],
         Takes(stream_usage=False)),
        ([refused("max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this"
                  " model. Use 'max_completion_tokens' instead.")],
         Takes(limit="max_completion_tokens")),
        ([refused("response_format", "response_format json_schema is unavailable")],
         Takes(form="json_object")),
        ([refused("response_format", "no"), refused("response_format", "no")], Takes(form="text")),
        ([refused("", "Failed to parse grammar", 500)], Takes(form="json_object")),
        ([refused("temperature", "Unsupported value: 'temperature' does not support 0.2")],
         Takes(sampling=False)),
        ([refused("", "Unrecognized request argument supplied: cache_prompt")],
         Takes(sampling=False)),
        ([refused("", "stream_options not allowed", 422), refused("", "unknown field temperature"),
          refused("", "'max_tokens' unknown, max_completion_tokens?"),
          refused("response_format", "json"), refused("response_format", "json")],
         Takes("text", stream_usage=False, limit="max_completion_tokens", sampling=False)),
    ],
)  # fmt: skip
def test_endpoint_that_knows_less_is_asked_for_less(
    server: Server, refusals: Sequence[tuple[int, dict[str, str]]], takes: Takes
) -> None:
    for status, error in refusals:
        server.then_refuse(status, error)
    server.then_stream(chunk(json.dumps(GOOD), finish="stop"))
    options = {"temperature": 0.2, "cache_prompt": False}
    completion = ask(server, schema=Answer, options=options)
    assert completion.takes == takes
    assert len(server.asked) == len(refusals) + 1
    last = server.asked[-1].body
    assert ("stream_options" in last) == takes.stream_usage
    assert ("temperature" in last) == takes.sampling
    assert last[takes.limit] == 50
    assert len({"max_tokens", "max_completion_tokens"} & set(last)) == 1
    assert last.get("response_format", {"type": "text"})["type"] == takes.form
    assert ("JSON Schema" in last["messages"][0]["content"]) == (takes.form != "json_schema")
    assert [message["role"] for message in last["messages"]] == ["system", "user"]
    # What was found out is asked for at once the next time.
    server.then_stream(chunk(json.dumps(GOOD), finish="stop"))
    assert ask(server, schema=Answer, options=options, takes=takes).parsed == completion.parsed
    assert len(server.asked) == len(refusals) + 2


def test_budget_is_never_smaller_than_what_is_used() -> None:
    prompt = [Message(role="user", content="Grüße 😀" * 100)]
    most = most_usage(prompt, 50, Answer)
    assert (
        most.prompt_tokens
        > len(("Grüße 😀" * 100).encode()) + len(json.dumps(schema_of(Answer))) // 2
    )
    assert (most.completion_tokens, most.cached_tokens) == (50, 0)
