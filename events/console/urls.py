"""The console's addresses, below /admin/: each of its rooms names its own as `urls`."""

from collections.abc import Sequence

from django.urls import URLPattern

from events.console import catalogue, corrections, failures, handlers, health, replay_plans, replays

ROOMS: Sequence[Sequence[URLPattern]] = (
    failures.urls,
    corrections.urls,
    health.urls,
    handlers.urls,
    catalogue.urls,
    replay_plans.urls,
    replays.urls,
)


def console_urls() -> list[URLPattern]:
    """All of them, for the admin's site, where they come before those of its models."""
    return [url for room in ROOMS for url in room]
