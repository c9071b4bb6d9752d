"""`manage.py dbshell`, which is what `make psql` runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from salesflow.home import PROJECT
from tests.setup.conftest import environment_of, processes_of


@pytest.mark.journey
def test_sql_on_standard_input_runs_as_the_application_on_the_embedded_database(home: Path) -> None:
    shell = subprocess.run(
        [sys.executable, "manage.py", "dbshell", "--", "--no-align", "--tuples-only"],
        input="SELECT current_user, current_database();",
        env=environment_of(home, PATH="/nowhere"),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == "salesflow|salesflow\n"
    assert processes_of(home) == []
