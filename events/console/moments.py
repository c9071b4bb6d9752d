"""Moments in the lists of the admin; in templates they are `admin/events/moment.html`."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html


def moment(value: datetime) -> Any:
    """A moment to the second in the reader's time zone, with the exact one in UTC on hover."""
    exact = value.astimezone(timezone.get_default_timezone()).isoformat()
    local = timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    html = '<time class="moment" datetime="{}" title="{}">{}</time>'
    return format_html(html, exact, exact, local)
