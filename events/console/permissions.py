"""The console's permissions: who may see, triage, replay, send anew and edit."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

from events import permissions
from events.permissions import EDIT, EXTERNAL, NAMES, REPLAY, TRIAGE, VIEW

__all__ = [
    "EDIT",
    "EXTERNAL",
    "NAMES",
    "PAUSE",
    "REPLAY",
    "TRIAGE",
    "VIEW",
    "Allowed",
    "allowed",
    "require",
    "wanted",
]

# No permission that can be given: handlers serve all tenants, so pausing one is a superuser's.
PAUSE = "pause"

SHORT = {"view": VIEW, "triage": TRIAGE, "replay": REPLAY, "external": EXTERNAL, "edit": EDIT}


@dataclass(frozen=True)
class Allowed:
    """What a user may do in the console, for templates: `{% if allowed.triage %}`.

    All of it presupposes that the user may see events; external effects, that they may replay.
    """

    view: bool
    triage: bool
    replay: bool
    external: bool
    edit: bool
    pause: bool


def allowed(user: Any) -> Allowed:
    """What the user may do with the rows that they may see."""
    may = {name: user.has_perm(VIEW) and user.has_perm(SHORT[name]) for name in SHORT}
    may["external"] = may["external"] and may["replay"]
    return Allowed(**may, pause=bool(user.is_active and user.is_superuser))


def require(request: HttpRequest, permission: str) -> None:
    """Refuse a user without the permission; what they may see is checked elsewhere.

    Args:
        permission: one of this module's constants, or its short name such as "triage".

    Raises:
        PermissionDenied: with a sentence that names the permission.
    """
    names = {full: short for short, full in SHORT.items()}
    if not getattr(allowed(request.user), names.get(permission, permission)):
        raise PermissionDenied(wanted(permission))


def wanted(permission: str) -> str:
    """The sentence that says which permission is wanting; see `require`."""
    if permission == PAUSE:
        return _("Only superusers may do this: handlers serve all tenants.")
    return permissions.wanted(SHORT.get(permission, permission))
