"""Failure groups: what fails in one way, found at settle time, counted, and triaged by people."""
