"""Connections beside Django's, for what has to commit or to get an answer by itself."""

from typing import Any

import psycopg
from django.db import connection

# What Django wants of its own connections.
DJANGOS_OWN = ("pool", "cursor_factory", "context")


def open_connection(*, autocommit: bool = False, **parameters: Any) -> "psycopg.Connection[Any]":
    """Connect to Django's database, outside of its pool and of its transactions.

    Args:
        parameters: of libpq, such as `connect_timeout`, in place of the settings'.

    Raises:
        psycopg.OperationalError: the database does not answer.
    """
    given = connection.get_connection_params()
    kept = {name: value for name, value in given.items() if name not in DJANGOS_OWN}
    return psycopg.connect(**{**kept, **parameters}, autocommit=autocommit)
