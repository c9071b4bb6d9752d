"""Celery's prefork pool, made to outlive the loss of any of its processes.

Over a transport without an event loop, such as PGMQ's, all processes of a pool read their tasks
from one pipe. Billiard's wait for a task while holding the lock of that pipe: the kernel does not
release it when the process is killed, and none of the others ever gets a task again.
"""

from typing import Any

from billiard.pool import Pool
from billiard.queues import SimpleQueue
from celery.concurrency import prefork


class PatientQueue(SimpleQueue):  # type: ignore[type-arg]  # generic in the stubs alone
    """A queue whose readers wait without its lock, and hold it only while they read."""

    _reader: Any
    _writer: Any
    _rlock: Any

    def get_payload(self) -> bytes:
        """Wait for the next item, and return it as it was sent."""
        while True:
            self._reader.poll(None)
            with self._rlock:
                # Another process may have been quicker.
                if self._reader.poll(0):
                    payload: bytes = self._reader.recv_bytes()
                    return payload


class PatientPool(Pool):
    """Processes that read their tasks from a `PatientQueue`."""

    _ctx: Any

    def _setup_queues(self) -> None:
        super()._setup_queues()  # type: ignore[misc]  # the stubs do not know it
        self._inqueue = PatientQueue(ctx=self._ctx)
        self._quick_put = self._inqueue._writer.send


class TaskPool(prefork.TaskPool):
    """The pool that our workers use."""

    BlockingPool = PatientPool
