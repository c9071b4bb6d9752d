"""Fill a database for the console."""

import sys
from datetime import datetime

from benchmarks.console.filling import counts, fill, filled, prepare


def main(events: str, moment: str) -> dict[str, int]:
    """Make the log unless it is there already; returns what is in the tables."""
    prepare()
    if not filled(int(events)):
        fill(int(events), datetime.fromisoformat(moment), sys.stderr.write)
    return counts()
