"""The broker in PostgreSQL: installed with the migrations, reached through any database URL."""

from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from kombu import Connection
from pgmq.base import PGMQConfig
from psycopg.conninfo import conninfo_to_dict

from salesflow.broker import install_pgmq, pgmq_transport_options


@pytest.mark.django_db
def test_migrating_installs_the_broker_and_doing_it_again_changes_nothing() -> None:
    install_pgmq()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pgmq.meta")
        assert cursor.fetchone() is not None


@pytest.mark.django_db(transaction=True)
def test_application_role_sends_and_receives_through_the_broker(
    service_environment: dict[str, str],
) -> None:
    options = pgmq_transport_options(service_environment["SALESFLOW_DATABASE_URL"])
    with Connection("pgmq://localhost", transport_options=options) as broker:
        queue = broker.SimpleQueue("setup_test")
        queue.put({"number": 7})
        message = queue.get(timeout=10)
        assert message.payload == {"number": 7}
        message.ack()
        queue.queue.delete()
        queue.close()


def test_pool_of_the_broker_gives_up_soon_so_that_the_next_one_tries_at_once(
    service_environment: dict[str, str],
) -> None:
    options = pgmq_transport_options(service_environment["SALESFLOW_DATABASE_URL"])
    with Connection("pgmq://localhost", transport_options=options) as broker:
        pool = broker.transport._get_pgmq_client().pool  # type: ignore[attr-defined]
        pool.close()
        assert (pool.timeout, pool.reconnect_timeout) == (2.0, 3.0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("answer", ["ack", "reject", "requeue"])
def test_message_that_cannot_be_answered_takes_no_place_for_ever(
    service_environment: dict[str, str], answer: str
) -> None:
    options = pgmq_transport_options(service_environment["SALESFLOW_DATABASE_URL"])
    with Connection("pgmq://localhost", transport_options=options) as broker:
        queue = broker.SimpleQueue(f"places_{answer}")
        queue.put({"number": 7})
        message = queue.get(timeout=10)
        queue.queue.delete()
        channel: Any = message.channel
        channel.basic_qos(0, 1, False)
        assert not channel.qos.can_consume()
        with pytest.raises(psycopg.errors.UndefinedTable):
            getattr(message, answer)()
        assert channel.qos.can_consume()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:it%27s%20a%5Csecret@db.example.com:5433/sales?sslmode=require",
        "postgresql://app@/sales?host=%2Fvar%2Frun%2Fa%20b&port=5432",
        "host=db.example.com dbname='my sales' user=app",
    ],
)
def test_any_database_url_reaches_the_same_database_through_the_broker(url: str) -> None:
    options = pgmq_transport_options(url)
    reached = conninfo_to_dict(PGMQConfig(conn_string=options["conn_string"]).dsn)
    assert {name: value for name, value in reached.items() if value} == {
        "connect_timeout": "2",
        **conninfo_to_dict(url),
    }


def test_celery_uses_the_database_when_no_other_broker_is_named() -> None:
    assert settings.CELERY_BROKER_URL.startswith("pgmq://")
