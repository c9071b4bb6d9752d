"""Moments as the console writes them, in its lists and in its templates."""

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html


def moment(value: datetime) -> Any:
    """A moment to the second in the reader's time zone, with the exact one in UTC on hover."""
    exact = value.astimezone(UTC).isoformat()
    local = timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    html = '<time class="moment" datetime="{}" title="{}">{}</time>'
    return format_html(html, exact, exact, local)
