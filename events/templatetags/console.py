"""What the console's templates say of permissions and of patches."""

from typing import Any

from django import template

from events.console import permissions
from events.corrections.differences import text_of

register = template.Library()


@register.filter
def wanted(permission: str) -> str:
    """The sentence that says which permission is wanting, such as `"triage"|wanted`."""
    return permissions.wanted(permission)


@register.filter
def patch_lines(patch: Any) -> list[tuple[str, str, str]]:
    """The changes of a replay's patch: (operation, path, value as JSON)."""
    return [
        (change["op"], change["path"], text_of(change["value"]) if "value" in change else "")
        for change in patch or []
    ]
