"""Fault injection: real processes under load, killed, frozen and cut off; then an audit.

    stage      the servers and processes of one run
    faults     what is done to them, by the nemesis, at random moments that a seed decides
    workload   an app whose handlers leave traces, and the publishers that keep it busy
    ledger     what the publishers know to be committed, kept outside the database
    audit      invariants in plain SQL: the ledger against the rows, without the engine's code

`python -m tests.chaos --help` runs it.
"""
