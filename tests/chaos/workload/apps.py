"""Configuration of the workload; while a file says so, every nudge is sent twice."""

from pathlib import Path
from typing import Any

from celery import current_app
from celery.signals import after_task_publish
from django.apps import AppConfig
from django.conf import settings

from tests.chaos.workload.places import doubling_switch

COPY = "copy"


class WorkloadConfig(AppConfig):
    """The app that the chaos suite adds to SalesFlow."""

    name = "tests.chaos.workload"
    label = "chaos"

    def ready(self) -> None:
        """Listen to what this process sends."""
        after_task_publish.connect(send_again, dispatch_uid="chaos.send_again")


def send_again(
    sender: str, headers: dict[str, Any], body: Any, routing_key: str, **_options: Any
) -> None:
    """Send a copy of a message, as a broker that delivers at least once may do at any time."""
    if COPY in headers or not doubling_switch(Path(settings.HOME)).exists():
        return
    args, kwargs, _callbacks = body
    current_app.send_task(
        sender, args, kwargs, queue=routing_key, headers={COPY: True}, retry=False
    )
