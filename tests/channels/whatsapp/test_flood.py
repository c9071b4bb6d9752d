"""A thousand webhook calls at once, as bad as they come, against a real web server and a worker."""

import http.client
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from channels.models import Account, Message
from channels.receiving import store_inbound
from channels.services import send_message
from events.models import Event, EventStatus
from leads.models import Lead
from salesflow.accounts.models import Tenant
from tests.channels.whatsapp import calls
from tests.channels.whatsapp.emulator import Emulator
from tests.channels.whatsapp.factories import make_account, webhook_of
from tests.journeys.processes import free_port
from tests.waiting import promised, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.usefixtures("transactional_db")]
CALLS, CALLERS = 1000, 8
PEOPLE, ANSWERED = 40, 60
# Seconds in which 95 of 100 calls have their answer.
P95 = 0.1


@dataclass(frozen=True)
class Call:
    """One call, and the status that it has to be answered with."""

    path: str
    body: bytes
    signature: str
    expected: int


@dataclass(frozen=True)
class Answer:
    """What came of a call, and after how many seconds."""

    call: Call
    status: int
    seconds: float


@pytest.fixture
def service_environment(service_environment: dict[str, str], emulator: Emulator) -> dict[str, str]:
    """Processes that take the emulator for Meta."""
    return {**service_environment, "SALESFLOW_WHATSAPP_API_URL": emulator.url}


@pytest.fixture
def port(service_environment: dict[str, str]) -> Iterator[int]:
    """Where the web server listens, as `make run` starts it."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "salesflow.wsgi", "--no-control-socket"]
    options = ["--preload", "--worker-class=gthread", "--workers=2", "--threads=8"]
    where = [f"--bind=127.0.0.1:{port}"]
    process = subprocess.Popen([*command, *options, *where], env=service_environment)
    try:
        wait_until(lambda: _is_up(port), "the web server answers", 60)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _is_up(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def person_of(number: int) -> dict[str, object]:
    """One of many; every fourth hides their number."""
    wa_id = "" if number % 4 == 0 else f"49151{number:08d}"
    return calls.person(wa_id, f"DE.{number:015d}", f"Person {number}")


def text_from(number: int, vendor_id: str) -> bytes:
    person = person_of(number)
    item = {**calls.text(vendor_id, wa_id=person.get("wa_id", "")), "id": vendor_id}
    return calls.messages_call(item, people=[person])


def signed(account: Account, body: bytes) -> Call:
    return Call(webhook_of(account), body, calls.signature(body), 200)


def message_calls(account: Account, chance: random.Random) -> Iterator[Call]:
    """200 messages: each once, half of them again byte for byte, a quarter in another envelope."""
    for number in range(200):
        call = signed(account, text_from(number % PEOPLE, f"wamid.flood{number:04d}"))
        yield call
        if number % 2:
            yield call
        if number % 4 == 0:
            yield signed(account, call.body + b" ")


def status_calls(account: Account, sent: Sequence[Message]) -> Iterator[Call]:
    """Statuses of all that was sent; every third message fails, the others end as read."""
    for number, message in enumerate(sent):
        ends = ["failed"] if number % 3 == 0 else ["delivered", "read"]
        for name in ("sent", *ends, ends[-1]):
            errors: dict[str, Any] = {}
            if name == "failed":
                errors = {"errors": [calls.failure(131026)]}
            item = calls.status(
                message.vendor_id,
                name,
                biz_opaque_callback_data=f"{message.pk}.1",
                recipient_id=message.address.lstrip("+"),
                # Meta's calls about the same status are not the same bytes.
                pricing={"billable": True, "trace": str(uuid4())},
                **errors,
            )
            yield signed(account, calls.statuses_call(item, people=[]))


def forged_calls(account: Account, count: int, chance: random.Random) -> Iterator[Call]:
    """Messages that somebody else has signed, or nobody."""
    for number in range(count):
        body = text_from(number, f"wamid.forged{number}")
        wrong = chance.choice(
            [
                "",
                "sha256=",
                calls.signature(body, "guess"),
                calls.signature(body + b"x"),
                "sha256=é",
            ]
        )
        yield Call(webhook_of(account), body, wrong, 403)
        nobodys = webhook_of(Account(pk=uuid4()))
        yield Call(nobodys, body, calls.signature(body), 403)


def junk_calls(account: Account, count: int, chance: random.Random) -> Iterator[Call]:
    """Signed, and nothing that Meta would write."""
    junk = [b"", b"{", b"null", b"[]", b'{"entry": 7}', b"\x00\xff", b"[" * 5000, b"x" * 200_000]
    for _ in range(count):
        body = chance.choice(junk) + (b" " * chance.randrange(100))
        yield signed(account, body)


def answer_of(connection: http.client.HTTPConnection, call: Call) -> Answer:
    """Make the call on a connection that stays open."""
    begun = time.perf_counter()
    connection.putrequest("POST", call.path)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("X-Hub-Signature-256", call.signature.encode())
    connection.putheader("Content-Length", str(len(call.body)))
    connection.endheaders(call.body)
    answer = connection.getresponse()
    answer.read()
    return Answer(call, answer.status, time.perf_counter() - begun)


def make_calls(port: int, share: Sequence[Call]) -> list[Answer]:
    """Make calls one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        return [answer_of(connection, call) for call in share]
    finally:
        connection.close()


def send_answers(account: Account) -> list[Message]:
    """Messages that Meta has taken, of which it will report."""
    for number in range(1000, 1000 + ANSWERED):
        store_inbound(account, text_from(number, f"wamid.first{number}"))
    wait_until(lambda: Message.objects.count() == ANSWERED, "all have written", 120)
    leads = Lead.objects.filter(name__in=[f"Person {1000 + each}" for each in range(ANSWERED)])
    sent = [send_message(lead, channel="whatsapp", body="Hi") for lead in leads]
    ids = [message.pk for message in sent]
    queued = Message.objects.filter(pk__in=ids).exclude(status="sent")
    wait_until(lambda: not queued.exists(), "all is sent", 120)
    return list(Message.objects.filter(pk__in=ids).order_by("pk"))


def test_a_thousand_calls_end_as_they_should(
    tenant: Tenant,
    port: int,
    worker: "subprocess.Popen[bytes]",
    emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    account, chance = make_account(), random.Random(5)
    sent = send_answers(account)
    assert len(emulator.sent) == ANSWERED
    told = [*message_calls(account, chance), *status_calls(account, sent)]
    rest = CALLS - len(told)
    told += forged_calls(account, rest // 4, chance)
    told += junk_calls(account, CALLS - len(told), chance)
    chance.shuffle(told)
    assert len(told) == CALLS

    begun = time.perf_counter()
    with ThreadPoolExecutor(CALLERS) as callers:
        shares = (told[each::CALLERS] for each in range(CALLERS))
        answered = list(callers.map(lambda share: make_calls(port, share), shares))
    took = time.perf_counter() - begun
    answers = [answer for share in answered for answer in share]
    assert [answer for answer in answers if answer.status != answer.call.expected] == []
    kept = [answer.seconds for answer in answers if answer.status == 200]
    with capsys.disabled():
        sys.stdout.write(figures(took, kept))
    if promised(1) == 1:
        assert p95_of(kept) < P95

    pending = Event.objects.filter(status=EventStatus.PENDING)
    wait_until(lambda: not pending.exists(), "all events are settled", 120)
    assert_all_is_right(sent)


def assert_all_is_right(sent: Sequence[Message]) -> None:
    """Each message once, each status the last one, nothing of what was forged."""
    failed = Event.objects.filter(status=EventStatus.FAILED).values_list("type", "error_message")
    assert list(failed) == []
    flood = Message.objects.filter(vendor_id__startswith="wamid.flood")
    ids = [f"wamid.flood{number:04d}" for number in range(200)]
    assert sorted(flood.values_list("vendor_id", flat=True)) == ids
    received = Event.objects.filter(type="message.received").values_list("payload__message_id")
    assert received.count() == len(set(received)) == 200 + ANSWERED
    assert Lead.objects.count() == PEOPLE + ANSWERED
    assert not Message.objects.filter(vendor_id__startswith="wamid.forged").exists()
    now = Message.objects.in_bulk([message.pk for message in sent])
    ends = [now[message.pk].status for message in sent]
    assert ends == ["failed" if number % 3 == 0 else "read" for number in range(ANSWERED)]
    once = Counter(
        Event.objects.filter(
            type__in=["message.read", "message.failed", "message.delivered"]
        ).values_list("type", "payload__message_id")
    )
    assert set(once.values()) == {1}


def figures(took: float, seconds: Sequence[float]) -> str:
    """How long the calls took that were kept."""
    return (
        f"\n{CALLS} calls by {CALLERS} callers in {took:.1f} s ({CALLS / took:.0f}/s):"
        f" median {statistics.median(seconds) * 1000:.0f} ms,"
        f" p95 {p95_of(seconds) * 1000:.0f} ms, longest {max(seconds) * 1000:.0f} ms\n"
    )


def p95_of(seconds: Sequence[float]) -> float:
    """The time in which 95 of 100 were done."""
    return statistics.quantiles(seconds, n=100)[94]
