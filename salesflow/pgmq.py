"""Celery's PGMQ transport, which finds its way back to a database that was away."""

from typing import Any

from kombu.transport import pgmq


class Transport(pgmq.Transport):
    """Gives its pool of connections up soon, so that the next one who asks tries at once.

    Left alone, the pool waits twice as long after each attempt: half a minute after an outage of
    half a minute, whatever happens meanwhile.
    """

    RECONNECT_SECONDS = 3.0

    def _apply_pool_timeout(self, client: Any, transport_options: dict[str, Any]) -> None:
        super()._apply_pool_timeout(client, transport_options)
        client.pool.reconnect_timeout = self.RECONNECT_SECONDS
