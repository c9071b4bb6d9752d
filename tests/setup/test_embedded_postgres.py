"""The embedded server's life: who starts it, who stops it, who may reach it."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from salesflow.home import PROJECT, HomeError
from salesflow.postgres import Cluster, admin_url, app_url, socket_directory
from tests.setup.conftest import processes_of

Hold = Callable[[], "subprocess.Popen[str]"]


def accepts_connections(home: Path) -> bool:
    try:
        psycopg.connect(app_url(home)).close()
    except psycopg.OperationalError:
        return False
    return True


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])


@pytest.mark.django_db
def test_application_role_is_no_superuser() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)


@pytest.mark.journey
def test_first_user_makes_the_server_and_the_last_one_stops_it(home: Path, hold: Hold) -> None:
    first, second = hold(), hold()
    first.communicate()
    assert accepts_connections(home)
    second.communicate()
    assert processes_of(home) == []


@pytest.mark.journey
def test_server_of_a_real_home_is_closed_to_others(home: Path) -> None:
    with Cluster(home).attached():
        with psycopg.connect(app_url(home)) as database:
            row = database.execute(
                "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication"
                " FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            assert row == (False, False, False, False)
            assert database.execute("SHOW listen_addresses").fetchone() == ("",)
            assert database.execute("SHOW server_encoding").fetchone() == ("UTF8",)
            assert database.execute("SHOW fsync").fetchone() == ("on",)
        assert stat.S_IMODE(socket_directory(home).stat().st_mode) == 0o700
        assert not home.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)


@pytest.mark.journey
def test_server_outlives_a_killed_user_and_the_next_one_stops_it(home: Path, hold: Hold) -> None:
    hold().kill()
    next_user = hold()
    assert accepts_connections(home)
    next_user.communicate()
    assert processes_of(home) == []


@pytest.mark.journey
def test_server_starts_though_its_old_pid_is_another_process_now(cluster: Cluster) -> None:
    with cluster.attached():
        os.kill(postmaster(cluster.home), signal.SIGKILL)
    owner = cluster.data.stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None) as stranger:
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            lock = cluster.data / name
            lock.write_text(
                lock.read_text().replace(lock.read_text().split()[0], str(stranger.pid))
            )
        with cluster.attached():
            assert accepts_connections(cluster.home)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.journey
def test_half_made_cluster_is_made_anew(cluster: Cluster) -> None:
    (cluster.home / "postgres.new" / "base").mkdir(parents=True)
    with cluster.attached():
        assert accepts_connections(cluster.home)


@pytest.mark.journey
@pytest.mark.parametrize("name", ["it's with a blank", "a,b", "long" * 30])
def test_any_directory_can_be_a_home(home: Path, name: str) -> None:
    odd = home / name
    with Cluster(odd, throwaway=True).attached():
        assert accepts_connections(odd)
        with psycopg.connect(admin_url(odd)) as database:
            assert database.execute("SHOW unix_socket_directories").fetchone() == (
                str(socket_directory(odd)),
            )


@pytest.mark.journey
def test_data_of_another_major_version_are_left_alone(cluster: Cluster) -> None:
    with cluster.attached():
        pass
    version = cluster.data / "PG_VERSION"
    version.write_text("15\n")
    with pytest.raises(HomeError, match="made by PostgreSQL 15"), cluster.attached():
        pass


@pytest.mark.journey
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_ordinary_user_needs_no_root(home: Path) -> None:
    nobody = 65534
    os.chown(home, nobody, nobody)

    def run_as_nobody(program: str) -> None:
        command = [sys.executable, "-c", program, str(home)]
        subprocess.run(command, check=True, cwd=PROJECT, user=nobody, group=nobody, extra_groups=[])

    try:
        run_as_nobody("import salesflow")
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("other accounts can't run this Python")
    run_as_nobody(
        "import sys, psycopg; from pathlib import Path\n"
        "from salesflow.postgres import Cluster, app_url\n"
        "with Cluster(Path(sys.argv[1]), throwaway=True).attached():\n"
        "    psycopg.connect(app_url(Path(sys.argv[1]))).close()\n"
    )
    assert (home / "postgres").stat().st_uid == nobody
