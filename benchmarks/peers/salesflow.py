"""This engine, with the processes that its supervisor starts."""

from benchmarks.peers.peer import WORKERS, Broker, Mode, Peer, python
from benchmarks.workload.models import Source
from benchmarks.workload.services import enter_prospect, import_prospects

CELERY = python("-m", "celery", "--quiet", "-A", "salesflow")
LONELY = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]


class SalesFlow(Peer):
    """Nudged workers take batches; the sweeper and the scheduler are there as in production."""

    name = "salesflow"
    title = "SalesFlow"
    packages = ("celery", "kombu", "pgmq", "redis")
    brokers = (Broker.PGMQ, Broker.REDIS)
    history = "deliveries"
    finished = "status = 'succeeded'"
    history_since = "event_id >= %(since)s"

    def worker_commands(self) -> list[list[str]]:
        """A worker, and a sweeper that is its own scheduler, which saves a start."""
        worker = ["worker", "--hostname", "events@%h", "--queues", "events"]
        sweeper = ["worker", "--hostname", "sweeps@%h", "--queues", "sweeps", "--pool", "solo"]
        return [
            [*CELERY, *worker, "--concurrency", str(WORKERS), *LONELY],
            [*CELERY, *sweeper, "--beat", *LONELY],
        ]

    def publish(self, mode: Mode, count: int) -> None:
        """Save leads; the engine does the rest."""
        if mode == Mode.SINGLE:
            for number in range(count):
                enter_prospect(number)
        else:
            import_prospects(count, Source.IMPORT if mode == Mode.BULK else Source.WEB)
