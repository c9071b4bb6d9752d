"""Time-ordered identifiers."""

import os
import threading
import time
from datetime import datetime, timedelta
from uuid import UUID

SET_BACK = 10_000 << 12  # ten seconds, in the unit of stamps
# By no more the clocks that make ids and the database's differ, nor do the making of a row and its
# recording. So a search by time of recording may begin at the id of so much earlier.
CLOCKS_DIFFER = timedelta(days=1)

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """A version 7 UUID: 48 bits of Unix milliseconds, 12 bits of their fraction, 62 random bits.

    Ids made by one process rise strictly, as long as nobody sets its clock back by more than ten
    seconds; so they sort as they were made and land side by side in an index.

    Source: RFC 9562, section 5.7 and method 3 of section 6.2 (sub-millisecond clock in rand_a).
    """
    random_bits = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    stamp = _next_stamp()
    milliseconds, fraction = stamp >> 12, stamp & 0xFFF
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random_bits)


def _next_stamp() -> int:
    """Milliseconds and 12 bits of their fraction as one number that never repeats here."""
    global _last  # noqa: PLW0603
    now = time.time_ns() * 4096 // 1_000_000
    with _lock:
        # A clock that was set back by more than this had been wrong: follow it.
        _last = now if now < _last - SET_BACK else max(now, _last + 1)
        return _last


def first_uuid7_of(moment: datetime, shift: timedelta = timedelta()) -> UUID:
    """The lowest id that `uuid7` can have made at that time: what is older has a lower one.

    Args:
        shift: added to the time, however early or late that is.
    """
    milliseconds = int((moment.timestamp() + shift.total_seconds()) * 1000)
    milliseconds = min(max(milliseconds, 0), (1 << 48) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)
