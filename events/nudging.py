"""Nudges: messages that wake workers. A lost one costs seconds, never an event.

A nudge names nothing: workers look themselves for what is due. So one nudge serves whatever was
published meanwhile, and the queue of nudges gives no tenant precedence over another.
"""

import atexit
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from events import metrics

log = structlog.get_logger(__name__)

# More workers than this at once need several transactions' nudges, or a second sweep.
MOST_AT_ONCE = 8
# Seconds between two sendings of one process: what is published meanwhile shares a nudge. The
# longer ones are for busy times, in which as much was asked for during one pause: nudges cost the
# broker more than the events that they announce, and workers do better with larger batches.
PAUSE, LONG_PAUSE, BUSY = 0.01, 0.05, 4
# Seconds that a process which ends waits for its last nudges to be sent.
LAST_CALL = 2.0

SETTLE = "events.tasks.settle_due"
RUN_EXTERNAL = "events.tasks.run_external"
ADVANCE_REPLAYS = "events.tasks.advance_replays"

QUEUES: dict[str, metrics.Queue] = {SETTLE: "events", RUN_EXTERNAL: "external"}


class Broker:
    """Remembers for a while that the broker is away, so that nobody waits for it in vain."""

    def __init__(self) -> None:
        self._away_until = 0.0

    def send(self, task: str, *args: Any) -> bool:
        """Send one message; False, and a log line, when the broker does not take it."""
        import events.tasks  # noqa: F401 (registers them; no one else does so in a web process)

        if time.monotonic() < self._away_until:
            return False
        try:
            current_app.tasks[task].apply_async(args, retry=False)
        except Exception as error:  # whatever the transport raises: the sweeper makes up for it
            self._away_until = time.monotonic() + settings.BROKER_AWAY_SECONDS
            log.warning("broker_away", error=f"{type(error).__name__}: {error}")
            return False
        return True


broker = Broker()


class Nudger:
    """Sends the nudges of a process from a thread of its own, so that no request waits for them."""

    def __init__(self) -> None:
        self._wanted: Counter[str] = Counter()
        self._asked = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._idle = True

    def want(self, task: str, messages: int) -> None:
        """Have so many messages sent soon; those that are asked for meanwhile are sent as one."""
        with self._changed:
            self._wanted[task] = max(self._wanted[task], min(messages, MOST_AT_ONCE))
            self._asked += 1
            self._idle = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nudger", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until everything that was wanted has been sent or given up.

        Returns:
            Whether that was so within `timeout` seconds.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._idle, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle = not self._wanted
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._wanted))
                pause = PAUSE if self._asked < BUSY else LONG_PAUSE
                wanted, self._wanted, self._asked = self._wanted, Counter(), 0
            for task, messages in wanted.items():
                for _message in range(messages):
                    sent = broker.send(task)
                    if task in QUEUES:
                        metrics.nudged(QUEUES[task], sent)
            time.sleep(pause)


nudger = Nudger()


def _begin_anew() -> None:
    # A thread does not survive a fork, and its lock may be held for ever.
    global nudger, broker
    nudger, broker = Nudger(), Broker()


os.register_at_fork(after_in_child=_begin_anew)
atexit.register(lambda: flush(LAST_CALL))


def flush(timeout: float = 10.0) -> bool:
    """Wait until this process's nudges are sent; see `Nudger.flush`."""
    return nudger.flush(timeout)


class Announcement:
    """Says what was published, after the commit: to workers and to the metrics.

    There is one for a transaction, and one more for each savepoint in which something was
    published: what is rolled back takes along what it would have said, and nothing else.
    """

    def __init__(self) -> None:
        self.types: Counter[str] = Counter()

    def __call__(self) -> None:
        nudge_events(self.types.total())
        for event_type, count in self.types.items():
            metrics.published(event_type, count)


def announce_after_commit(types: Counter[str]) -> None:
    """Nudge once the current transaction has committed: once a savepoint, not once an event.

    Args:
        types: how many events of each type were published.
    """
    announcement = _registered_announcement()
    if announcement is None:
        announcement = Announcement()
        transaction.on_commit(announcement)
    announcement.types.update(types)


def _registered_announcement() -> Announcement | None:
    """The announcement that is rolled back when what is published now is, and only then."""
    within = {savepoint for savepoint in connection.savepoint_ids if savepoint}
    for savepoints, callback in (entry[:2] for entry in reversed(connection.run_on_commit)):
        if not within <= savepoints:
            # Older than the innermost savepoint, and so is all that was registered before.
            return None
        # None stands for a nested block without a savepoint.
        if isinstance(callback, Announcement) and savepoints - {None} == within:
            return callback
    return None


def nudge_events(count: int = 1) -> None:
    """Wake as many workers as that many due events keep busy."""
    if count:
        nudger.want(SETTLE, -(-count // settings.EVENT_BATCH_SIZE))


def nudge_external(count: int = 1) -> None:
    """Wake workers for that many due deliveries to external handlers."""
    if count:
        nudger.want(RUN_EXTERNAL, count)


def nudge_replays() -> None:
    """Have running replays carried on."""
    nudger.want(ADVANCE_REPLAYS, 1)


def after_commit(callback: Callable[..., Any], *args: Any) -> None:
    """Call back once the current transaction has committed."""
    transaction.on_commit(lambda: callback(*args))
