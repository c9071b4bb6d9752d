"""The message broker in PostgreSQL: PGMQ's SQL, and how Celery's transport reaches it."""

from typing import Any

import kombu
import psycopg
from celery.app.amqp import AMQP
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from kombu.transport import TRANSPORT_ALIASES
from psycopg.conninfo import conninfo_to_dict, make_conninfo

PGMQ_PARAMETERS = ("host", "port", "dbname", "user", "password")
INSTALL_LOCK = 0x5A1E5F10  # any number that is the same in all our processes

TRANSPORT_ALIASES["pgmq"] = "salesflow.pgmq:Transport"


# A request that publishes must not wait for a broker that is away: one try, no pause. Left alone,
# Celery waits two seconds before it believes that nobody listens.
ONE_TRY = {"max_retries": 0, "interval_start": 0, "interval_step": 0}


class Connection(kombu.Connection):
    """Looks every two seconds whether a broker that went away is back.

    Left alone, Celery waits longer each time, up to 30 s: too long when it is back.
    """

    def ensure_connection(self, *args: Any, **options: Any) -> "Connection":
        """As kombu's, with shorter waits."""
        waits = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2}
        super().ensure_connection(*args, **{**waits, **options})
        return self


class Amqp(AMQP):
    """Celery's messaging, over our connections."""

    Connection = Connection


def transport_options(broker_url: str, database_url: str) -> dict[str, Any]:
    """Return the options of Celery's transport for that broker."""
    if broker_url.startswith("pgmq"):
        return ONE_TRY | pgmq_transport_options(database_url)
    waits = {"socket_connect_timeout": 1, "socket_timeout": 5, "visibility_timeout": 1800}
    return ONE_TRY | waits


def pgmq_transport_options(database_url: str) -> dict[str, Any]:
    """Return the options of Celery's `pgmq` transport for the queues in that database.

    Notifications without a throttle carry a task in about 20 ms; polling finds what they miss.
    """
    return {
        "conn_string": _pgmq_conninfo(database_url),
        "init_extension": False,
        "use_notify": True,
        "notify_throttle_interval_ms": 0,
        "polling_interval": 0.1,
        "wait_time_seconds": 0,
        "visibility_timeout": 1800,
        "pool_size": 4,
        "pool_timeout": 2,
    }


def install_pgmq(using: str = DEFAULT_DB_ALIAS) -> None:
    """Put PGMQ's schema into that database, unless it is there.

    The role that owns the database may do this; neither an extension nor a superuser is needed.
    """
    if not _lacks_pgmq(using):
        return
    from pgmq.install import get_embedded_install_sql  # slow, and needed once in a database's life

    with transaction.atomic(using), connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [INSTALL_LOCK])
        if _lacks_pgmq(using):
            cursor.execute(get_embedded_install_sql())


def _lacks_pgmq(using: str) -> bool:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regclass('pgmq.meta') IS NULL")
        return bool(cursor.fetchone()[0])


def _pgmq_conninfo(database_url: str) -> str:
    """Return a connection string that survives pgmq's way of taking it apart.

    pgmq keeps host, port, database, user and password and joins them again without quotes, which
    breaks at a blank and drops `sslmode`. Values that are quoted twice come out quoted once, and
    the other parameters travel with the database's name.
    """
    try:
        given: dict[str, Any] = conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:
        given = {}  # a system check reports the URL
    known = {name: _quoted(given.pop(name, "")) for name in PGMQ_PARAMETERS}
    known["dbname"] += " " + make_conninfo("", **{"connect_timeout": 2, **given})
    return make_conninfo("", **known)


def _quoted(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
