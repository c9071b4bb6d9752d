"""A quarter of a year in minutes: workers that are killed at random execute sequences for teams on
three continents, while contacts answer, are away, opt out, meet us and buy.

The clock is a file that all processes read; PostgreSQL's own goes on as it is. `stage` tells the
time and kills, `world` makes teams and people, `contacts` does what those do, `audit` looks whether
everything that was promised held.
"""
