"""Open pages of the console whenever somebody asks: JSON for JSON, line by line."""

import json
import sys

from benchmarks.console.visiting import examine, names, times


def main() -> None:
    """Answer until nobody asks any more."""
    verbs = {verb.__name__: verb for verb in (examine, names, times)}
    for line in sys.stdin:
        asked = json.loads(line)
        answer = verbs[asked.pop("verb")](**asked)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
