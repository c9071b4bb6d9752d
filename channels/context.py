"""What every page knows of the inbox."""

from typing import Any

from django.http import HttpRequest

from channels.inbox import unread_count
from salesflow.accounts.context import TenantNotSet


def inbox(request: HttpRequest) -> dict[str, Any]:
    """The figure in the navigation, read where it is shown and nowhere else."""

    def unread() -> str:
        try:
            return unread_count(request.user)  # type: ignore[arg-type]
        except TenantNotSet:
            return ""

    return {"inbox_unread": unread}
