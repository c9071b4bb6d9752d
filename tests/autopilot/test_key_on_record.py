"""The key of an endpoint is on no record: not of runs, events, tries or the audit, nor in a log."""

from collections.abc import Callable, Iterator

import pytest
from django.apps import apps
from pytest_django import Settings

from channels.autopilot.connecting import connect_endpoint
from channels.autopilot.trying import request_check
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.autopilot.endpoint import KEY, Peer, Server, chunk
from tests.autopilot.factories import Scripted, doing, entered, make_run
from tests.factories import make_tenant, make_user

PART = KEY[3:]
SAID = f"Incorrect API key provided: {KEY}. Authorization: Bearer {KEY}"


@pytest.fixture(autouse=True)
def private(settings: Settings) -> None:
    settings.AI_PRIVATE_ADDRESSES = True


@pytest.fixture
def committed(transactional_db: None) -> Iterator[Tenant]:
    with tenant_context(make_tenant("acme")) as tenant:
        yield tenant


def everything() -> str:
    """All that is in the database, as far as it can be read there."""
    models = [model for model in apps.get_models() if model._meta.managed]
    return "".join(repr(list(model._base_manager.values())) for model in models)


def repeat(server: Server) -> None:
    server.then_refuse(400, {"message": SAID, "param": KEY, "code": KEY})


def refuse(server: Server) -> None:
    server.then_refuse(401, {"message": SAID})


def repeat_in_stream(server: Server) -> None:
    server.then_stream(chunk("a"), {"error": {"message": SAID}})


def break_off(server: Server) -> None:
    server.then(lambda peer: peer.send(b"HTTP/1.1 200 OK\r\n" + KEY.encode()))


def hang_up(server: Server) -> None:
    server.then(lambda peer: Peer.send(peer, b""))


@pytest.mark.parametrize("fault", [repeat, refuse, repeat_in_stream, break_off, hang_up])
def test_nothing_that_is_written_down_has_the_key(
    committed: Tenant,
    server: Server,
    settle_events: Callable[[], int],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    fault: Callable[[Server], None],
) -> None:
    caplog.set_level("DEBUG")
    actor = make_user(committed)
    endpoint = connect_endpoint(entered(server), actor=actor)
    for _try in range(4):
        fault(server)
    with doing(Scripted()):
        run = make_run()
        request_check(endpoint, actor=actor)
        settle_events()
    run.refresh_from_db()
    assert run.calls.exists()
    lines = [record.getMessage() + str(record.__dict__) for record in caplog.records]
    assert PART not in everything()
    assert PART not in "".join([*lines, *capsys.readouterr()])
