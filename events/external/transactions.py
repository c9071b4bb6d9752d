"""Transactions that nobody can hold for long."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# A process that is frozen meanwhile loses its transaction, and with it what others wait for.
LIMIT = "SET LOCAL idle_in_transaction_session_timeout = '10s'"


@contextmanager
def brief_transaction() -> Iterator[None]:
    """A transaction that is committed at the end of the block.

    Raises:
        RuntimeError: within another transaction, whose commit would come too late.
    """
    with transaction.atomic(durable=True):
        # Not within a test's transaction, which would inherit the limit.
        if len(connection.atomic_blocks) == 1:
            with connection.cursor() as cursor:
                cursor.execute(LIMIT)
        yield
