"""The project's settings, with the workload's app and those of the peers that are installed."""

from importlib.util import find_spec

from salesflow.settings import *  # noqa: F403

PEER_APPS = ["procrastinate.contrib.django", "django_tasks", "django_tasks_db"]

INSTALLED_APPS = [
    *INSTALLED_APPS,  # noqa: F405
    "benchmarks.workload",
    *(app for app in PEER_APPS if find_spec(app.partition(".")[0])),
]

PROCRASTINATE_IMPORT_PATHS = ["benchmarks.peers.procrastinate"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
