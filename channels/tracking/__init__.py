"""Whether mails are opened and their links followed, where a team has asked for that.

`links` makes the addresses of ours that a mail carries, `hits` keeps what is asked of them and says
of the first person that they did it, `machines` tells persons from the programs that look into
mails before anybody does. Personal mails are never tracked.
"""
