"""Celery's prefork pool, made to outlive the loss of any of its processes.

Over a transport without an event loop, such as PGMQ's, all processes of a pool read their tasks
from one pipe and write their results to another. Billiard's guard both with semaphores, which
nobody gives back for a process that is killed while it has one: none of the others ever gets a
task again, or gets rid of a result.
"""

import fcntl
import os
import tempfile
from typing import Any

from billiard.pool import Pool
from billiard.queues import SimpleQueue
from celery.concurrency import prefork


class MortalLock:
    """A lock between processes, which the kernel releases when its holder dies.

    Not one between the threads of a process: of a pool's processes one thread alone uses the pipes.
    """

    def __init__(self) -> None:
        self._file, path = tempfile.mkstemp()
        os.unlink(path)  # nobody else is meant to find it

    def acquire(self) -> None:
        """Wait for the lock."""
        # Not flock(), whose locks a process shares with those that it forks.
        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def release(self) -> None:
        """Let another process have it."""
        fcntl.lockf(self._file, fcntl.LOCK_UN)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class PatientQueue(SimpleQueue):  # type: ignore[type-arg]  # generic in the stubs alone
    """A queue whose readers wait without its lock, and hold it only while they read."""

    _reader: Any
    _writer: Any
    _rlock: Any
    _wlock: Any

    def __init__(self, *, ctx: Any) -> None:
        super().__init__(ctx=ctx)
        self._rlock, self._wlock = MortalLock(), MortalLock()

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
    """Processes that take their tasks from a `PatientQueue`, and put what came of them in one."""

    _ctx: Any

    def _setup_queues(self) -> None:
        super()._setup_queues()  # type: ignore[misc]  # the stubs do not know it
        self._inqueue = PatientQueue(ctx=self._ctx)
        self._outqueue = PatientQueue(ctx=self._ctx)
        self._quick_put = self._inqueue._writer.send
        self._quick_get = self._outqueue._reader.recv


class TaskPool(prefork.TaskPool):
    """The pool that our workers use."""

    BlockingPool = PatientPool
