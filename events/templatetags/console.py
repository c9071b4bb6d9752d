"""What the console's templates say of permissions."""

from django import template

from events.console import permissions

register = template.Library()


@register.filter
def wanted(permission: str) -> str:
    """The sentence that says which permission is wanting, such as `"triage"|wanted`."""
    return permissions.wanted(permission)
