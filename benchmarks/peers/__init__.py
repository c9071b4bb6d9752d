"""The peers, by name."""

from importlib import import_module

from benchmarks.peers.peer import Peer

# Name → the class, imported on demand: a peer's package may not be installed.
CLASSES = {
    "salesflow": "benchmarks.peers.salesflow.SalesFlow",
    "limit": "benchmarks.peers.limit.Limit",
    "task_per_event": "benchmarks.peers.task_per_event.TaskPerEvent",
    "procrastinate": "benchmarks.peers.procrastinate.Procrastinate",
}


def peer_named(name: str) -> Peer:
    """The peer of that name.

    Raises:
        KeyError: there is none.
        ModuleNotFoundError: its package is not installed.
    """
    module, _, class_name = CLASSES[name].rpartition(".")
    peer: Peer = getattr(import_module(module), class_name)()
    return peer
