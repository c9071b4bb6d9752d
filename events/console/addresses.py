"""Addresses of the console's pages about a selection of events."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse

from events.selections import Selection

LIST, PLAN = "admin:events_event_changelist", "admin:events_event_replay"
GIVE_UP, CORRECT = "admin:events_event_give_up", "admin:events_correct"


def list_url(selection: Selection, **keys: str) -> str:
    """The list of the selected events; `keys` go along, such as where its page begins."""
    return with_query(LIST, selection.as_json() | keys)


def list_urls(selection: Selection, windows: Iterable[tuple[datetime, datetime]]) -> list[str]:
    """The list of the selected events in each of several windows of time: from, and before."""
    page, told = reverse(LIST), selection.as_json()
    chosen = (Selection(recorded_after=start, recorded_before=end) for start, end in windows)
    return [f"{page}?{urlencode(told | each.as_json())}" for each in chosen]


def plan_url(selection: Selection, page: str = PLAN) -> str:
    """Where a replay of the selection is planned, or another decision.

    Of all events there are, those that failed are meant.
    """
    chosen = replace(selection, status="failed") if selection == Selection() else selection
    return with_query(page, chosen.as_json())


def with_query(page: str, query: dict[str, str]) -> str:
    """The address of a page that is named so, with its parameters."""
    return f"{reverse(page)}?{urlencode(query)}" if query else reverse(page)
