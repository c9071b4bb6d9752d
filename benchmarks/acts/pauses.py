"""Pauses between paced publishes, spread by chance so that they meet pollers at any moment."""

import random

MEAN_SECONDS = 0.03


def pauses(count: int) -> list[float]:
    """Seconds to wait after each of so many publishes, the same in every run."""
    chance = random.Random(0)  # noqa: S311
    return [chance.uniform(0, 2 * MEAN_SECONDS) for _ in range(count)]
