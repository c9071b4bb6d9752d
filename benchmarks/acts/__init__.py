"""What processes of a measurement do beside the workers; each module is one act.

python -m benchmarks.acts ACT [ARGUMENT ...] prints what it found as JSON.
"""

from benchmarks.peers.peer import python


def act(name: str, *arguments: object) -> list[str]:
    """The command line of an act."""
    return python("-m", "benchmarks.acts", name, *map(str, arguments))
