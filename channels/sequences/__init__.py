"""Sequences: timed steps that reach out to a lead until somebody answers."""
