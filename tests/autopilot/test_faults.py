"""What an endpoint can answer wrongly: each ends in a stated outcome, with what it costs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import BaseModel

from channels.autopilot.completions import LONGEST_TEXT, NOTHING_USED
from channels.autopilot.errors import LONGEST_WAIT, seconds_asked
from channels.autopilot.outcomes import Outcome
from channels.autopilot.wire import MOST_BYTES
from tests.autopilot.calling import SAID, estimated, fail
from tests.autopilot.endpoint import USAGE, Peer, Server, chunk, event, usage_chunk, whole


class Answer(BaseModel):
    number: int


# --- The server refuses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "outcome", "permanent", "stops"),
    [
        (400, {"message": "Bad."}, Outcome.FAILED, True, False),
        (401, {"code": "invalid_api_key"}, Outcome.UNAUTHORIZED, True, True),
        (403, {"message": "Country not supported"}, Outcome.UNAUTHORIZED, True, True),
        (403, {"message": "input flagged by moderation"}, Outcome.REFUSED, True, False),
        (402, {"message": "Insufficient Balance"}, Outcome.RATE_LIMITED, True, True),
        (404, {"code": "model_not_found"}, Outcome.FAILED, True, False),
        (408, {}, Outcome.UNAVAILABLE, False, False),
        (409, {}, Outcome.UNAVAILABLE, False, False),
        (413, {}, Outcome.TOO_LONG, True, False),
        (422, {"message": "no"}, Outcome.FAILED, True, False),
        (429, {"message": "slow down"}, Outcome.RATE_LIMITED, False, False),
        (429, {"code": "insufficient_quota"}, Outcome.RATE_LIMITED, True, True),
        (500, {}, Outcome.UNAVAILABLE, False, False),
        (502, {}, Outcome.UNAVAILABLE, False, False),
        (529, {"type": "overloaded_error"}, Outcome.UNAVAILABLE, False, False),
        (400, {"code": "context_length_exceeded"}, Outcome.TOO_LONG, True, False),
        (400, {"type": "exceed_context_size_error", "n_ctx": 4096}, Outcome.TOO_LONG, True, False),
        (500, {"message": "exceeds the available context size"}, Outcome.TOO_LONG, True, False),
        (400, {"code": "content_filter"}, Outcome.REFUSED, True, False),
        (400, "a bare text", Outcome.FAILED, True, False),
    ],
)  # fmt: skip
def test_refusal_has_a_meaning_and_costs_nothing(
    server: Server, status: int, error: object, outcome: Outcome, permanent: bool, stops: bool
) -> None:
    server.then_refuse(status, error)
    failure = fail(server)
    told = (failure.outcome, failure.is_permanent, failure.stops_endpoint, failure.usage)
    assert told == (outcome, permanent, stops, NOTHING_USED)
    assert failure.retry_after is None
    assert len(server.asked) == 1


def test_words_of_other_servers_are_found(server: Server) -> None:
    server.then_answer({"object": "error", "message": "model not loaded"}, 400)
    assert "model not loaded" in str(fail(server).reason)
    server.then_answer({"detail": "Not Found"}, 404)
    assert "Not Found" in str(fail(server).reason)
    server.then_answer(b"<html><h1>502 Bad Gateway</h1></html>", 502, Content_Type="text/html")
    failure = fail(server)
    assert (failure.outcome, "html" in str(failure.reason)) == (Outcome.UNAVAILABLE, False)


@pytest.mark.parametrize(
    ("headers", "after", "permanent"),
    [
        ({"Retry_After": "7"}, 7.0, False),
        ({"Retry_After": "0.25"}, 0.25, False),
        ({"retry_after_ms": "1500", "Retry_After": "9"}, 1.5, False),
        ({"Retry_After": str(int(LONGEST_WAIT))}, LONGEST_WAIT, False),
        ({"Retry_After": "86400"}, None, True),
        ({"Retry_After": "-5"}, None, False),
        ({"Retry_After": "soon"}, None, False),
        ({"Retry_After": "1e400"}, None, False),
        ({"x_should_retry": "false", "Retry_After": "7"}, None, True),
        ({"x_should_retry": "true", "Retry_After": "7"}, 7.0, False),
    ],
)
def test_wait_that_the_server_asks_for_is_kept(
    server: Server, headers: dict[str, str], after: float | None, permanent: bool
) -> None:
    server.then_refuse(429, {"message": "slow down"}, **headers)
    failure = fail(server)
    assert (failure.outcome, failure.retry_after) == (Outcome.RATE_LIMITED, after)
    assert failure.is_permanent == permanent


def test_wait_until_a_date_is_counted_from_now() -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    soon = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert seconds_asked({"retry-after": soon}, now) == 90
    assert (
        seconds_asked({"retry-after": format_datetime(now, usegmt=True)}, now + timedelta(1)) == 0
    )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(server: Server, status: int) -> None:
    server.then_answer({}, status, Location="http://169.254.169.254/latest/meta-data")
    failure = fail(server)
    assert (failure.outcome, failure.is_permanent) == (Outcome.FAILED, True)
    assert len(server.asked) == 1


# --- The answer is none --------------------------------------------------------------------------


def test_page_instead_of_an_answer_is_invalid(server: Server) -> None:
    server.then_answer(b"<html>Please log in</html>", Content_Type="text/html")
    assert fail(server).outcome == Outcome.INVALID


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'"ok"', b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_object_is_invalid(server: Server, body: bytes) -> None:
    server.then_answer(body)
    failure = fail(server)
    assert (failure.outcome, failure.is_permanent) == (Outcome.INVALID, False)


def test_event_that_is_no_json_is_invalid_and_paid_for(server: Server) -> None:
    server.then_stream(chunk("Es kostet"), '{"choices": [{"delta"')
    failure = fail(server)
    assert (failure.outcome, failure.usage) == (Outcome.INVALID, estimated("Es kostet"))
    assert failure.text == "Es kostet"


def test_answer_without_an_end_is_given_up(server: Server) -> None:
    def flood(piece: bytes) -> Callable[[Peer], None]:
        def pour(peer: Peer) -> None:
            peer.begin_stream()
            for _ in range(2 * MOST_BYTES // len(piece)):
                peer.chunk(piece)

        return pour

    for piece in (b"x" * 65_536, event(chunk("x" * 60_000))):
        server.then(flood(piece))
        assert fail(server).outcome == Outcome.INVALID


@pytest.mark.parametrize(
    "body",
    [
        {**whole("x"), "choices": []},
        {**whole("x"), "choices": None},
        whole(None),
        whole(""),
        whole(" \n\t "),
        whole("<think>only a thought</think>"),
        whole("<think>a thought that does not end"),
        whole(None, reasoning_content="only a thought"),
    ],
)
def test_answer_without_words_is_empty_and_paid_for(server: Server, body: object) -> None:
    server.then_answer(body)
    failure = fail(server)
    assert (failure.outcome, failure.is_permanent, failure.usage) == (Outcome.EMPTY, False, SAID)


def test_stream_without_words_is_empty(server: Server) -> None:
    server.then_stream(chunk("", role="assistant"), chunk(finish="stop"), usage_chunk(USAGE))
    assert fail(server).outcome == Outcome.EMPTY
    server.then_stream()
    failure = fail(server)
    assert (failure.outcome, failure.usage) == (Outcome.EMPTY, estimated(""))


@pytest.mark.parametrize(
    ("finish", "outcome", "permanent"),
    [
        ("length", Outcome.TRUNCATED, True),
        ("content_filter", Outcome.REFUSED, True),
        ("tool_calls", Outcome.INVALID, False),
        ("function_call", Outcome.INVALID, False),
        ("error", Outcome.UNAVAILABLE, False),
    ],
)
def test_ending_decides_whether_an_answer_may_be_used(
    server: Server, finish: str, outcome: Outcome, permanent: bool
) -> None:
    server.then_stream(chunk("Es kostet 5"), chunk(finish=finish), usage_chunk(USAGE))
    failure = fail(server)
    assert (failure.outcome, failure.is_permanent, failure.usage) == (outcome, permanent, SAID)


def test_refusal_of_the_model_is_no_answer(server: Server) -> None:
    server.then_stream(
        chunk(None, refusal="I will"), chunk(None, refusal=" not."), chunk(finish="stop")
    )
    assert fail(server).outcome == Outcome.REFUSED
    server.then_answer(whole(None, refusal="No."))
    assert fail(server).outcome == Outcome.REFUSED


def test_text_that_nobody_asked_for_in_such_length_is_given_up(server: Server) -> None:
    server.then_stream(*[chunk("x" * 50_000)] * 20, chunk(finish="stop"))
    failure = fail(server)
    assert (failure.outcome, len(failure.text)) == (Outcome.INVALID, LONGEST_TEXT)


@pytest.mark.parametrize(
    "written",
    [
        "It is five.",
        '{"number": 5',
        '{"number": "5"}',
        '{"number": 5.5}',
        '{"number": null}',
        "{}",
        "[5]",
        '{"number": NaN}',
        '{"number": 5, "number": 6}',
        '{"number": 5} {"number": 6}',
        'I say {"number": 5}',
        '```json\n{"number": 5}\n```\n```json\n{"number": 6}\n```',
        '{"number": ' * 5000,
    ],
)
def test_answer_that_does_not_fit_the_schema_is_invalid(server: Server, written: str) -> None:
    server.then_stream(chunk(written, finish="stop"), usage_chunk(USAGE))
    failure = fail(server, schema=Answer)
    assert (failure.outcome, failure.is_permanent, failure.usage) == (Outcome.INVALID, False, SAID)
    assert failure.text == written
