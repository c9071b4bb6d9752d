"""Disruptions: the database is away, or it ended a transaction in favour of another one.

Nothing is lost then: the transaction was undone, and the sweeper looks again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import InterfaceError, OperationalError, connection

from events.batches import is_clash

log = structlog.get_logger(__name__)


@contextmanager
def disruptions_logged(**context: str) -> Iterator[None]:
    """Leave the block with a line in the log, not with an error, where the database disrupts it.

    Args:
        context: what else the line says.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        # A clash that was tried again and again says that handlers write the same rows, which the
        # state of the server has nothing to do with.
        event = "transactions_clashed" if is_clash(error) else "database_away"
        log.warning(event, error=str(error).strip(), **context)
        connection.close()
