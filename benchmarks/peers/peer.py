"""What a peer has to offer so that it can be measured."""

import sys
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import ClassVar

# Processes that handle events, the same number for every peer.
WORKERS = 2
# Events before the clock starts: they show that the workers are there, and fill all caches.
WARM_UP = 200


class Mode(StrEnum):
    """How events are published.

    bulk: a thousand leads in a transaction, and a batch handler where the peer has such.
    bulk-each: the same, and a handler of single events.
    single: a transaction a lead, one after the other, and a handler of single events.
    paced: the same, with pauses that leave the machine idle.
    """

    BULK = "bulk"
    BULK_EACH = "bulk-each"
    SINGLE = "single"
    PACED = "paced"


class Broker(StrEnum):
    """What carries messages: the database itself, or Redis."""

    PGMQ = "pgmq"
    REDIS = "redis"


class Peer(ABC):
    """A way to write leads with events and to have the events handled.

    Attributes:
        name: its key in the results.
        title: its name for people.
        packages: distributions whose versions belong to the figures.
        brokers: what it can be measured on; the database where it needs no other.
        history: the table that keeps what it did with each event.
        finished: the SQL condition of a history row that is done.
        history_since: the SQL condition of the history of events whose id is not below `since`;
            where the history does not know the event's id, its table is empty at the start.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    brokers: ClassVar[tuple[Broker, ...]] = (Broker.PGMQ,)
    history: ClassVar[str]
    finished: ClassVar[str]
    history_since: ClassVar[str] = "TRUE"

    @abstractmethod
    def worker_commands(self) -> list[list[str]]:
        """The command lines of its processes, `WORKERS` of which handle events."""

    @abstractmethod
    def publish(self, mode: Mode, count: int) -> None:
        """Write `count` leads and events of the current tenant, and have them handled.

        Args:
            mode: any but `PACED`.
        """


def python(*arguments: str) -> list[str]:
    """A command line of this Python."""
    return [sys.executable, *arguments]
