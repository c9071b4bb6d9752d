"""Moments that people and programs name."""

from datetime import UTC, datetime

from django.utils.translation import gettext as _

# Those at the ends of the calendar have no date in some time zones: no page could show them.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def wrong_moment(moment: datetime | None) -> str:
    """What is wrong with a moment, in words; empty: nothing, or there is none."""
    if moment is None or EARLIEST <= moment < LATEST:
        return ""
    return _("Choose a time between 1970 and 2200.")
