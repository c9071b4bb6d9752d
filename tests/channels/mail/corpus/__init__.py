"""Two hundred mails with labels, made by code."""

from tests.channels.mail.corpus.answers import answers
from tests.channels.mail.corpus.bounces import bounces
from tests.channels.mail.corpus.broken import broken
from tests.channels.mail.corpus.lists import lists
from tests.channels.mail.corpus.people import people
from tests.channels.mail.corpus.specimen import REPORT, Specimen


def corpus() -> list[Specimen]:
    """All of them; nothing is kept between two calls."""
    return [*bounces(), *answers(), *lists(), *people(), *broken()]


__all__ = ["REPORT", "Specimen", "corpus"]
