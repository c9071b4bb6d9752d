"""Wrong settings: each one is reported in a sentence, none is a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from salesflow.environment import Environment
from salesflow.home import PROJECT
from salesflow.postgres import database_settings
from tests.setup.conftest import environment_of

WRONG = {
    "SALESFLOW_PORT": "eighty",
    "SALESFLOW_DEBUG": "ture",
    "SALESFLOW_LOG_LEVEL": "loud",
    "SALESFLOW_DATABASE_URL": "mysql://user:hunter2@host/database",
    "SALESFLOW_BROKER_URL": "kafka://host",
    "SALESFLOW_BASE_URL": "sales.example.com",
    "SALESFLOW_SECRET_KEY": "$hort",
    "SALESFLOW_EVENT_BATCH_SIZE": "0",
    "SALESFLOW_METRICS_TOKEN_FILE": "/nowhere/token",
    "SALESFLOW_SECRETKEY": "x",
}


@pytest.mark.journey
def test_every_wrong_setting_is_reported_with_what_to_do(home: Path) -> None:
    check = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=environment_of(home, **WRONG),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 1
    assert "Traceback" not in check.stderr
    assert "hunter2" not in check.stderr
    assert [name for name in WRONG if f"{name}" not in check.stderr] == []
    assert "Did you mean SALESFLOW_SECRET_KEY?" in check.stderr
    assert check.stderr.count("HINT") >= len(WRONG)


def test_value_may_come_from_a_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "key").write_text("from a file\n")
    monkeypatch.setenv("SALESFLOW_SECRET_KEY_FILE", str(home / "key"))
    assert Environment().str("SECRET_KEY", default="") == "from a file"


def test_value_that_begins_with_a_dollar_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESFLOW_SECRET_KEY", "$HOME")
    assert Environment().str("SECRET_KEY", default="") == "$HOME"


def test_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESFLOW_PORT", "")
    assert Environment().int("PORT", default=8000) == 8000


def test_options_of_a_database_url_reach_the_driver() -> None:
    found = database_settings("postgresql://app:p%40ss@db.example.com:5433/sales?sslmode=require")
    assert found == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "sales",
        "USER": "app",
        "PASSWORD": "p@ss",
        "HOST": "db.example.com",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }


def test_every_setting_is_described() -> None:
    described = (PROJECT / "docs" / "settings.md").read_text()
    names = settings.ENVIRONMENT.names
    assert sorted(name for name in names if f"| `{name}` |" not in described) == []
