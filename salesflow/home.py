"""The home directory of one installation: its database, its secret key, its locks."""

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


class HomeError(Exception):
    """The home directory or what lives in it can't be used; the message says what to do."""


def directory() -> Path:
    """Return $SALESFLOW_HOME as an absolute path, `.salesflow` beside manage.py when unset."""
    return Path(os.environ.get("SALESFLOW_HOME") or PROJECT / ".salesflow").absolute()


def create(home: Path) -> Path:
    """Make the home directory if it is missing and return it.

    Raises:
        HomeError: it can't be made, or belongs to somebody else.
    """
    try:
        # Others may pass through to what is theirs (the server's account owns the database).
        home.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"can't make the home directory {home}: {error.strerror}") from error
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise HomeError(f"{home} belongs to somebody else: name one of yours in SALESFLOW_HOME")
    return home


def metrics(home: Path) -> Path:
    """Return the directory where the processes of this home count, made on the first call.

    Raises:
        HomeError: the home directory can't be used.
    """
    path = create(home) / "metrics"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def secret_key(home: Path) -> str:
    """Return the secret key kept in the home directory, made on the first call.

    Raises:
        HomeError: the home directory can't be used.
    """
    path = create(home) / "secret-key"
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    # Of several processes that get here at once, the first link wins and all read that one.
    with tempfile.NamedTemporaryFile("w", dir=home, prefix=".secret-key-") as draft:
        draft.write(secrets.token_urlsafe(50))
        draft.flush()
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, path)
    return path.read_text()


@contextlib.contextmanager
def open_lock(path: Path) -> Iterator[int]:
    """Yield a descriptor for `flock`. The kernel drops its lock when the process ends, however."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of that file alone, waiting for it."""
    with open_lock(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def lock_now(descriptor: int) -> bool:
    """Take the lock alone if nobody else holds it; tell whether it was got."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
