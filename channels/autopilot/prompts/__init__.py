"""What models are told to do: texts with a version, which is their file's name and their digest.

A text that is changed gets a new number; the old file may go once no stored run needs it.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
FILE = re.compile(r"(?P<name>[a-z]+)\.v(?P<number>\d+)\.txt")


@dataclass(frozen=True)
class Instructions:
    """A text, with `{fence}` and `{canary}` where those of a run belong."""

    name: str
    number: int
    text: str

    @property
    def version(self) -> str:
        """Its number and digest, such as “2 1f3a5c7e”."""
        return f"{self.number} {hashlib.sha256(self.text.encode()).hexdigest()[:8]}"

    def filled(self, *, fence: str, canary: str) -> str:
        """The text for one run."""
        return self.text.replace("{fence}", fence).replace("{canary}", canary)


@cache
def instructions(name: str) -> Instructions:
    """The newest text of that name.

    Raises:
        LookupError: there is none.
    """
    found = [
        Instructions(name, int(match["number"]), path.read_text(encoding="utf-8").strip())
        for path in FOLDER.iterdir()
        if (match := FILE.fullmatch(path.name)) and match["name"] == name
    ]
    if not found:
        raise LookupError(f"There is no prompt “{name}”.")
    return max(found, key=lambda text: text.number)
