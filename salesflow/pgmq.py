"""Celery's PGMQ transport, made to live with other processes and with a database that goes away."""

from typing import Any

from kombu.transport import pgmq

MAKING_LOCK = 0x5A1E5F13  # any number that is the same in all our processes


class Channel(pgmq.Channel):
    """Makes queues one process at a time, and forgets messages that it cannot delete.

    Each consumer declares its queue anew when it connects. PostgreSQL ends one of two that write
    the same definitions at once, and Celery the worker with it.

    Celery says of a message that it could not acknowledge so, and goes on. Its place among those
    that a worker may hold would be taken for ever; with all places taken the worker fetches nothing
    any more, and does not even notice that its connection is gone. A message that was not deleted
    comes again, which does no harm.
    """

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        pool = self.pgmq.pool
        assert pool is not None
        with pool.connection() as held, held.transaction():
            held.execute("SELECT pg_advisory_xact_lock(%s)", [MAKING_LOCK])
            super()._new_queue(queue, **kwargs)  # type: ignore[no-untyped-call]

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Delete the message; its place is free, whether or not that succeeds."""
        try:
            super().basic_ack(delivery_tag, multiple)  # type: ignore[no-untyped-call]
        except Exception:
            self.qos.ack(delivery_tag)
            raise

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Delete the message or let it come again; see `basic_ack`."""
        try:
            super().basic_reject(delivery_tag, requeue)  # type: ignore[no-untyped-call]
        except Exception:
            self.qos.ack(delivery_tag)
            raise


class Transport(pgmq.Transport):
    """Gives its pool of connections up soon, so that the next one who asks tries at once.

    Left alone, the pool waits twice as long after each attempt: half a minute after an outage of
    half a minute, whatever happens meanwhile.
    """

    Channel = Channel
    RECONNECT_SECONDS = 3.0

    def _apply_pool_timeout(self, client: Any, transport_options: dict[str, Any]) -> None:
        super()._apply_pool_timeout(client, transport_options)
        client.pool.reconnect_timeout = self.RECONNECT_SECONDS
