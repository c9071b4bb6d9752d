"""The event console: what the admin shows of events, failures, replays, handlers and alerts.

It may import all of `events`; nothing but the admin and its addresses imports it.
"""
