"""The home directory and its secret key."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from salesflow.home import HomeError, create, lock_now, open_lock, secret_key


def test_secret_key_is_made_once_for_all_who_ask_at_the_same_time(home: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(secret_key, [home / "new"] * 64))
    assert len(keys) == 1
    assert len(keys.pop()) >= 50


def test_secret_key_is_for_its_owner_only(home: Path) -> None:
    secret_key(home)
    assert stat.S_IMODE((home / "secret-key").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["secret-key"]


def test_impossible_home_is_named(home: Path) -> None:
    (home / "file").touch()
    with pytest.raises(HomeError, match="can't make the home directory"):
        create(home / "file" / "home")


def test_lock_is_free_again_when_it_is_closed(home: Path) -> None:
    with open_lock(home / "lock") as first, open_lock(home / "lock") as second:
        assert lock_now(first)
        assert not lock_now(second)
    with open_lock(home / "lock") as third:
        assert lock_now(third)
