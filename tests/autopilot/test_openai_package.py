"""The endpoint of our tests, as the client sees it that OpenAI wrote: it speaks the protocol."""

import httpx2
import openai
import pytest

from tests.autopilot.endpoint import KEY, MODEL, USAGE, Server, chunk, messages, usage_chunk, whole


@pytest.fixture
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=server.url, api_key=KEY, max_retries=0, timeout=httpx2.Timeout(5.0)
    )


def test_whole_answer_is_understood(server: Server, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=list(messages()))
    assert answer.choices[0].message.content == server.text
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.to_dict() == USAGE
    client.close()


def test_stream_is_understood_with_its_usage(server: Server, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        messages=list(messages()),
        stream=True,
        stream_options={"include_usage": True},
    )
    parts = list(stream)
    text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert text == server.text
    assert parts[-1].usage is not None
    assert parts[-1].usage.to_dict() == USAGE
    client.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (503, openai.InternalServerError),
    ],
)
def test_errors_are_understood(
    server: Server, client: openai.OpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    server.then_refuse(status, {"message": "No.", "type": "some", "code": "a_code"})
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=MODEL, messages=list(messages()))
    assert caught.value.code == "a_code"
    client.close()


def test_wrong_key_is_refused(server: Server) -> None:
    with (
        openai.OpenAI(base_url=server.url, api_key="sk-other", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model=MODEL, messages=list(messages()))


def test_scripted_parts_are_understood(server: Server, client: openai.OpenAI) -> None:
    server.then_stream(chunk("A"), chunk("b", finish="length"), usage_chunk(USAGE))
    parts = list(
        client.chat.completions.create(model=MODEL, messages=list(messages()), stream=True)
    )
    assert [part.choices[0].finish_reason for part in parts if part.choices] == [None, "length"]
    server.then_answer(whole(None, refusal="I will not."))
    answer = client.chat.completions.create(model=MODEL, messages=list(messages()))
    assert answer.choices[0].message.refusal == "I will not."
    client.close()


def test_error_within_a_stream_is_understood(server: Server, client: openai.OpenAI) -> None:
    server.then_stream(chunk("A"), {"error": {"message": "Overloaded", "code": 503}})
    stream = client.chat.completions.create(model=MODEL, messages=list(messages()), stream=True)
    with pytest.raises(openai.APIError, match="Overloaded"):
        list(stream)
    client.close()
