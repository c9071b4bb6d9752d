"""Alerts: rules that the sweeper evaluates, and the mails and webhooks that tell of what they find.

An alert is an event of its own, `alert.raised`: it is retried, seen and replayed like any other.
"""
