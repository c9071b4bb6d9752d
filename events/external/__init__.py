"""Handlers with external effects: leased, counted before they run, never inside a transaction.

A worker takes one delivery after the other: it commits the lease and the counted attempt, calls
the handler while a heartbeat keeps the lease, and reports what came of it. A worker that dies or
hangs loses the lease; the sweeper then records a failed attempt, and a late report is refused.
"""

from events.external.running import longest_turn, run_delivery, run_due
from events.external.sweeping import sweep

__all__ = ["longest_turn", "run_delivery", "run_due", "sweep"]
