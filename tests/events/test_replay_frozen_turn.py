"""A process that is frozen in the middle of a replay's turn: others carry the replay on."""

from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, connection, transaction

from events.connections import open_connection
from events.models import Replay
from events.replays import advance
from events.replays.running import RELEASING_LOCK, take_turn
from salesflow.accounts.models import Tenant
from tests.events.test_replay_running import begin, make_failed, planned
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("transactional_db")


def has_its_turn(replay: Replay) -> bool:
    """Whether somebody has a turn of the replay."""
    with open_connection() as elsewhere:
        statement = "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))"
        row = elsewhere.execute(statement, [RELEASING_LOCK, str(replay.pk)]).fetchone()
    return row != (True,)


def test_frozen_turn_is_ended_and_has_done_nothing(tenant: Tenant, settings: Any) -> None:
    make_failed(3)
    replay = begin(planned())
    settings.EVENT_BATCH_SECONDS = 1
    with pytest.raises((DatabaseError, InterfaceError)), transaction.atomic():
        take_turn(replay.pk)
        wait_until(lambda: not has_its_turn(replay), "PostgreSQL has ended the transaction")
    connection.close()
    replay.refresh_from_db()
    assert replay.released == 0
    advance(replay.pk)
    replay.refresh_from_db()
    assert replay.released == 3
