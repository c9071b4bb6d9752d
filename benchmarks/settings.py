"""The project's settings, with the workload's app and those of the peers that are installed."""

from importlib.util import find_spec

from salesflow.settings import *  # noqa: F403

PEER_APPS = ["procrastinate.contrib.django"]

INSTALLED_APPS = [
    *INSTALLED_APPS,  # noqa: F405
    "benchmarks.workload",
    *(app for app in PEER_APPS if find_spec(app.partition(".")[0])),
]

PROCRASTINATE_IMPORT_PATHS = ["benchmarks.peers.procrastinate"]
