"""The peers, by name."""

from importlib import import_module

from benchmarks.peers.peer import Peer

# Imported on demand: a peer's package may not be installed.
CLASSES = {
    "salesflow": "benchmarks.peers.salesflow.SalesFlow",
    "limit": "benchmarks.peers.limit.Limit",
    "task_per_event": "benchmarks.peers.task_per_event.TaskPerEvent",
    "procrastinate": "benchmarks.peers.procrastinate.Procrastinate",
    "django_tasks": "benchmarks.peers.django_tasks.DjangoTasks",
}


class UnknownPeer(Exception):
    """There is no peer of that name, or its package is not installed."""


def peer_named(name: str) -> Peer:
    """The peer of that name.

    Raises:
        UnknownPeer: the message says what to do.
    """
    if name not in CLASSES:
        raise UnknownPeer(f"There is no peer “{name}” (peers: {', '.join(CLASSES)}).")
    module, _, class_name = CLASSES[name].rpartition(".")
    try:
        peer: Peer = getattr(import_module(module), class_name)()
    except ModuleNotFoundError as error:
        hint = "install the peers with: make install-bench"
        raise UnknownPeer(f"{name} needs the package {error.name}; {hint}") from error
    return peer
