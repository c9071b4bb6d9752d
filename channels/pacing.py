"""Limits of accounts: each message draws a place in time, and waits for it without a worker.

A place is drawn once and kept on the message's row, so that a thousand messages to one account make
a thousand looks and not a million. Source of the rule: the generic cell rate algorithm (ITU-T
I.371), kept as one time a key: when the next call is due if all came as fast as they may.
"""

from datetime import datetime

from django.db import connection
from django.utils import timezone

from channels.models import Account
from channels.transports.interface import Limits

# Places lie `interval` apart, but the first `burst` of an idle key may be taken at once.
DRAW = """
    INSERT INTO channels_pace AS pace (key, next_at)
    VALUES (%(key)s, statement_timestamp() + %(interval)s * interval '1 second')
    ON CONFLICT (key) DO UPDATE SET next_at = greatest(pace.next_at, statement_timestamp())
        + %(interval)s * interval '1 second'
    RETURNING greatest(
        statement_timestamp(), next_at - %(burst)s * %(interval)s * interval '1 second'
    ), statement_timestamp()
"""
FORGET = "DELETE FROM channels_pace WHERE next_at < statement_timestamp() - interval '1 hour'"


def draw_place(account: Account, limits: Limits, address: str) -> tuple[datetime, datetime]:
    """When the next message may go to this address, and the time now; commit it before waiting."""
    own = f"account:{account.pk}"
    drawn = [
        _draw(key, interval, burst)
        for key, interval, burst in (
            (own, limits.interval, 1),
            (f"{own}:{address}", limits.pair_interval, limits.burst),
        )
        if interval
    ]
    now = timezone.now()
    places, clocks = zip(*drawn, strict=True) if drawn else ((now,), (now,))
    return max(places), max(clocks)


def forget_places() -> int:
    """Delete the keys that nobody waits for any more; returns how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET)
        return int(cursor.rowcount)


def _draw(key: str, interval: float, burst: int) -> tuple[datetime, datetime]:
    with connection.cursor() as cursor:
        cursor.execute(DRAW, {"key": key, "interval": interval, "burst": burst})
        place, now = cursor.fetchone()
        return place, now
