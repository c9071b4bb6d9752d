"""The key of an endpoint: it goes to the endpoint, and nowhere else."""

import copy
import dataclasses
import logging
import threading
import traceback
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from channels.autopilot.client import Endpoint, complete
from channels.autopilot.outcomes import AiError
from tests.autopilot.endpoint import KEY, MODEL, Peer, Server, chunk, messages

PART = KEY[3:]


def told_about(error: BaseException) -> str:
    """All that a report of an error can show: every frame of every cause, with its variables."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    # Of our own tests only the lines: their variables hold the key, of course.
    for frame in told.stack:
        if "/tests/" in frame.filename:
            frame.locals = None
    assert told.__context__ is None
    assert told.__cause__ is None
    shown = "".join(told.format())
    return shown + repr(error) + str(error) + repr(error.args) + repr(vars(error))


def repeat_key(status: int) -> Callable[[Server], None]:
    def script(server: Server) -> None:
        said = f"Incorrect API key provided: {KEY}. Authorization: Bearer {KEY}"
        server.then_refuse(status, {"message": said, "param": KEY, "code": KEY})

    return script


def repeat_in_stream(server: Server) -> None:
    server.then_stream(chunk("a"), {"error": {"message": f"bad key {KEY}"}})


def repeat_in_headers(server: Server) -> None:
    server.then_answer({}, 302, Location=f"http://127.0.0.1/?key={KEY}")


def break_off(server: Server) -> None:
    server.then(lambda peer: peer.send(b"HTTP/1.1 200 OK\r\n" + KEY.encode()))


def hang(server: Server) -> None:
    server.then(Peer.wait)


@pytest.mark.parametrize(
    "script",
    [repeat_key(400), repeat_key(401), repeat_key(429), repeat_key(500), repeat_in_stream,
     repeat_in_headers, break_off, hang],
)  # fmt: skip
def test_key_is_in_no_error_and_in_no_log(
    server: Server, script: Callable[[Server], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    script(server)
    endpoint = Endpoint(server.url, MODEL, SecretStr(KEY), allows_private=True)
    with pytest.raises(AiError) as caught:
        complete(endpoint, messages(), max_tokens=5, deadline=0.5 if script is hang else 30)
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert PART not in told_about(caught.value)
    if script is not repeat_in_headers:
        # What a server says in its headers, httpcore logs as it is, for developers.
        assert PART not in caplog.text


def test_key_is_in_no_representation() -> None:
    endpoint = Endpoint("https://api.example.com/v1", MODEL, SecretStr(KEY))
    for shown in (endpoint, copy.deepcopy(endpoint), dataclasses.asdict(endpoint), vars(endpoint)):
        assert PART not in f"{shown!r} {shown!s}"


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY}\r\nX: y", f"{KEY}é", f"{KEY}\x00"])
def test_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        Endpoint("https://api.example.com/v1", MODEL, SecretStr(key))
    assert PART not in told_about(caught.value)


def test_key_is_in_no_report_of_what_nobody_foresaw(server: Server) -> None:
    """A worker's time limit strikes anywhere, also within the HTTP library."""
    server.then(Peer.wait)
    endpoint = Endpoint(server.url, MODEL, SecretStr(KEY), allows_private=True)
    error = _struck_while_waiting(server, endpoint)
    assert type(error).__name__ == "Struck"
    assert PART not in told_about(error)


def test_error_of_who_is_told_keeps_its_place_and_not_the_key(server: Server) -> None:
    def stop(_text: str) -> None:
        raise RuntimeError("the page is gone")

    endpoint = Endpoint(server.url, MODEL, SecretStr(KEY), allows_private=True)
    with pytest.raises(RuntimeError) as caught:
        complete(endpoint, messages(), max_tokens=5, deadline=30, on_text=stop)
    assert PART not in told_about(caught.value)
    assert "in stop" in told_about(caught.value)


def _struck_while_waiting(server: Server, endpoint: Endpoint) -> BaseException:
    import ctypes

    class Struck(BaseException):
        pass

    struck: list[BaseException] = []

    def call() -> None:
        try:
            complete(endpoint, messages(), max_tokens=5, deadline=60)
        except BaseException as error:
            struck.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not server.asked:
        thread.join(0.01)
    # As a signal does in the main thread: it is raised once the call to the system returns.
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Struck)
    )
    server.released.set()
    thread.join(10)
    return struck[0]
