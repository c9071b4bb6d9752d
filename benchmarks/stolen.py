"""Stolen time: what a shared machine's other tenants took, by Linux's own count."""

import psutil


class Stopwatch:
    """Counts from when it is made."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def share(self) -> float:
        """The stolen part of all processors' time since then, from 0 to 1; 0 where nobody tells."""
        now, before = psutil.cpu_times(), self._before
        stolen: float = getattr(now, "steal", 0.0) - getattr(before, "steal", 0.0)
        # Linux counts guests' time as users' time, too.
        passed = sum(now) - sum(before) - (_guests(now) - _guests(before))
        return stolen / passed if passed > 0 else 0.0


def _guests(times: object) -> float:
    guests: float = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return guests
