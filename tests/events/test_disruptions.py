"""What the log calls it when the database keeps a task from its work."""

from typing import Any

import pytest
from django.db import OperationalError, connection

from events import tasks
from events.disruptions import disruptions_logged
from events.models import Event
from events.testing import handler_of
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event

pytestmark = pytest.mark.django_db(transaction=True)

CLASH = "DO $$ BEGIN RAISE 'crossed' USING ERRCODE = 'serialization_failure'; END $$"


def _lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    told: list[Any] = [record.msg for record in caplog.records]
    return [(line["event"], line) for line in told if isinstance(line, dict)]


def _raise(error: Exception) -> None:
    raise error


def test_batch_that_clashes_again_and_again_is_not_called_a_database_that_is_away(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    def clash(event: Event) -> None:
        tries.append(event.id)
        with connection.cursor() as cursor:
            cursor.execute(CLASH)

    event = make_event()
    with handler_of("thing.happened", function=clash):
        tasks.settle_due()
    [(name, line)] = _lines(caplog)
    assert (name, len(tries)) == ("transactions_clashed", 6)
    assert line["error"].startswith("crossed")
    event.refresh_from_db()
    assert event.status == "pending"


def test_database_that_ends_the_connection_is_called_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with disruptions_logged(step="test"), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    [(name, line)] = _lines(caplog)
    assert (name, line["step"]) == ("database_away", "test")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_error_that_is_no_disruption_is_raised() -> None:
    with pytest.raises(ZeroDivisionError), disruptions_logged():
        _raise(ZeroDivisionError())


def test_disruption_ends_the_block(caplog: pytest.LogCaptureFixture) -> None:
    with disruptions_logged():
        _raise(OperationalError("the server closed the connection"))
    assert [name for name, _line in _lines(caplog)] == ["database_away"]
