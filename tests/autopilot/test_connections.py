"""Connections that break or hang: no half of an answer is used, and what was written is paid."""

import json
import socket
import threading
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from channels.autopilot.client import Endpoint, complete
from channels.autopilot.completions import NOTHING_USED, Usage
from channels.autopilot.outcomes import AiError, Outcome
from tests.autopilot.calling import ALL_OF_IT, MOST, PROMPT, estimated, fail
from tests.autopilot.endpoint import KEY, MODEL, Peer, Server, chunk, event, messages, whole

# --- The connection breaks -----------------------------------------------------------------------


def cut_within_head(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-")


def cut_before_a_word(peer: Peer) -> None:
    peer.begin_stream()
    peer.event(chunk("", role="assistant"))


def cut_after_words(peer: Peer) -> None:
    peer.begin_stream()
    peer.event(chunk("Es kostet"))


def cut_within_a_chunk(peer: Peer) -> None:
    cut_after_words(peer)
    peer.send(b'40\r\ndata: {"choices"')


def end_without_finish(peer: Peer) -> None:
    peer.stream(chunk("Es kostet"), done=False)


def done_without_finish(peer: Peer) -> None:
    peer.stream(chunk("Es kostet"))


def end_by_closing(peer: Peer) -> None:
    peer.head(Content_Type="text/event-stream", Connection="close")
    peer.send(event(chunk("Es kostet")))


def reset(peer: Peer) -> None:
    cut_after_words(peer)
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def cut_whole_answer(peer: Peer) -> None:
    data = json.dumps(whole("Es kostet")).encode()
    peer.head(Content_Type="application/json", Content_Length=str(len(data)))
    peer.send(data[:40])


@pytest.mark.parametrize(
    ("step", "outcome", "usage", "text"),
    [
        (lambda peer: None, Outcome.UNAVAILABLE, ALL_OF_IT, ""),
        (cut_within_head, Outcome.UNAVAILABLE, ALL_OF_IT, ""),
        (cut_before_a_word, Outcome.CUT, ALL_OF_IT, ""),
        (cut_whole_answer, Outcome.CUT, ALL_OF_IT, ""),
        (cut_after_words, Outcome.CUT, estimated("Es kostet"), "Es kostet"),
        (cut_within_a_chunk, Outcome.CUT, estimated("Es kostet"), "Es kostet"),
        (end_without_finish, Outcome.CUT, estimated("Es kostet"), "Es kostet"),
        (done_without_finish, Outcome.CUT, estimated("Es kostet"), "Es kostet"),
        (end_by_closing, Outcome.CUT, estimated("Es kostet"), "Es kostet"),
        (reset, Outcome.CUT, estimated("Es kostet"), "Es kostet"),
        (lambda peer: peer.send(b"SSH-2.0-OpenSSH_9.2\r\n"), Outcome.UNAVAILABLE, ALL_OF_IT, ""),
    ],
)
def test_broken_connection_is_no_answer_and_is_paid_for(
    server: Server, step: Callable[[Peer], None], outcome: Outcome, usage: Usage, text: str
) -> None:
    server.then(step)
    failure = fail(server)
    assert (failure.outcome, failure.is_permanent) == (outcome, False)
    assert (failure.usage, failure.text) == (usage, text)
    assert len(server.asked) == 1


def test_closed_port_is_unavailable_and_costs_nothing(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failure = fail(server, url=f"http://127.0.0.1:{port}/v1")
    assert (failure.outcome, failure.is_permanent, failure.usage) == (
        Outcome.UNAVAILABLE, False, NOTHING_USED)  # fmt: skip


def test_unknown_host_is_unavailable(server: Server) -> None:
    failure = fail(server, url="https://nobody.invalid/v1")
    assert (failure.outcome, failure.usage) == (Outcome.UNAVAILABLE, NOTHING_USED)


def test_error_within_a_stream_ends_it(server: Server) -> None:
    server.then_stream(chunk("Es kostet"), {"error": {"message": "Overloaded", "code": 503}})
    failure = fail(server)
    assert (failure.outcome, failure.usage) == (Outcome.UNAVAILABLE, estimated("Es kostet"))
    assert "Overloaded" in str(failure.reason)
    server.then_stream({"error": {"message": "Rate limit", "code": 429}})
    assert fail(server).outcome == Outcome.RATE_LIMITED
    server.then_answer({"error": "model is loading"})
    assert fail(server).outcome == Outcome.UNAVAILABLE


# --- The server is slow --------------------------------------------------------------------------


def trickle(begin: Callable[[Peer], None], piece: bytes) -> Callable[[Peer], None]:
    def drip(peer: Peer) -> None:
        begin(peer)
        while not peer.released.wait(0.05):
            peer.send(piece)

    return drip


def comments(peer: Peer) -> None:
    peer.begin_stream()
    peer.event(chunk("Es"))


@pytest.mark.parametrize(
    ("step", "usage"),
    [
        (Peer.wait, ALL_OF_IT),
        (trickle(lambda peer: peer.send(b"HTTP/1.1 200 OK\r\nX-Slow: "), b"a"), ALL_OF_IT),
        (trickle(comments, b"5\r\n: hi\n\r\n"), estimated("Es")),
        (trickle(comments, b"1\r\n:\r\n"), estimated("Es")),
    ],
)
def test_whole_answer_has_one_deadline(
    server: Server, step: Callable[[Peer], None], usage: Usage
) -> None:
    server.then(step)
    failure = fail(server, deadline=0.6)
    assert (failure.outcome, failure.is_permanent, failure.usage) == (Outcome.TIMEOUT, False, usage)


def test_silence_within_an_answer_ends_it_before_the_deadline(server: Server) -> None:
    def pause(peer: Peer) -> None:
        comments(peer)
        peer.wait()

    server.then(pause)
    failure = fail(server, deadline=600, silence=0.3)
    assert (failure.outcome, failure.text) == (Outcome.TIMEOUT, "Es")


def test_server_that_takes_nothing_has_cost_nothing(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        endpoint = Endpoint(url, MODEL, SecretStr(KEY), allows_private=True)
        # More than the two sockets' buffers hold: the request never goes out whole.
        long = messages("x" * 12_000_000)
        with pytest.raises(AiError) as caught:
            complete(endpoint, long, max_tokens=MOST, deadline=1.0)
    assert (caught.value.outcome, caught.value.usage) == (Outcome.UNAVAILABLE, NOTHING_USED)


def test_calls_do_not_wait_for_each_other(server: Server) -> None:
    server.then(Peer.wait)
    waiting = threading.Thread(target=fail, args=(server,), kwargs={"deadline": 5}, daemon=True)
    waiting.start()
    while not server.asked:
        waiting.join(0.01)
    endpoint = Endpoint(server.url, MODEL, SecretStr(KEY), allows_private=True)
    assert complete(endpoint, PROMPT, max_tokens=MOST, deadline=30).text == server.text
    assert waiting.is_alive()
    server.released.set()
    waiting.join(10)
