"""A simulated quarter with workers that are killed: see `tests.sequences.engine.quarter`.

`QUARTER_PEOPLE=10000` makes it the long one, which takes 40 minutes or so on two cores.
"""

import os
from pathlib import Path
from random import Random

import pytest
import time_machine

from tests.sequences.engine.quarter.audit import audit, counts
from tests.sequences.engine.quarter.contacts import Contacts
from tests.sequences.engine.quarter.stage import Quarter, Workers, environment_of_workers, tell
from tests.sequences.engine.quarter.world import BEGINNING, make_teams

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

PEOPLE = int(os.environ.get("QUARTER_PEOPLE", "60"))
SEED = int(os.environ.get("QUARTER_SEED", "6"))


def test_everything_holds_through_a_quarter(
    service_environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = tmp_path / "clock"
    tell(clock, BEGINNING)
    random = Random(SEED)
    with time_machine.travel(BEGINNING, tick=False):
        teams = make_teams(PEOPLE, random)
    contacts = Contacts(Random(SEED + 1))
    workers = Workers(clock, environment_of_workers(service_environment), Random(SEED + 2))
    with workers.at_work():
        end = Quarter(teams, clock, contacts, workers).run()
    broken = audit(teams, contacts.deeds, end)
    with capsys.disabled():
        told = {**counts(), **contacts.counts, "workers killed": workers.kills}
        print(f"\nSeed {SEED}:", ", ".join(f"{n} {name}" for name, n in told.items()))  # noqa: T201
    assert broken == []
    assert workers.kills > 0
    assert told["enrolments"] == sum(len(team.leads) for team in teams)
