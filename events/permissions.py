"""The five permissions, and who has them in the API; the console asks `events.console.permissions`.

Whoever belongs to a tenant may read its events. Managers, admins and API keys triage and replay by
what they are. What leaves the database, and what changes what an event says, takes the person's own
permission, so no API key does it.
"""

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from rest_framework import exceptions
from rest_framework.request import Request

from salesflow.accounts.models import ApiKey, Membership
from salesflow.accounts.rest.authentication import HasTenant, person_of

if TYPE_CHECKING:
    from rest_framework.views import APIView

VIEW = "events.view_event"
TRIAGE = "events.triage_failuregroup"
REPLAY = "events.replay_event"
EXTERNAL = "events.replay_external"
EDIT = "events.correct_event"

# The names under which whoever hands them out finds them.
NAMES = {
    VIEW: gettext_noop("Can view event"),
    TRIAGE: gettext_noop("Can triage failure groups"),
    REPLAY: gettext_noop("Can replay events"),
    EXTERNAL: gettext_noop("Can replay with external effects"),
    EDIT: gettext_noop("Can edit events and replay them"),
}
# As the ready-made group “Events: on call” has it.
BY_ROLE = frozenset({TRIAGE, REPLAY})


def named(permission: str) -> str:
    """A permission's name, in the reader's language."""
    return _(NAMES[permission])


def wanted(permission: str) -> str:
    """The sentence that says which permission is wanting."""
    return _("This needs the permission “%(name)s”.") % {"name": named(permission)}


def may(request: Request, permission: str) -> bool:
    """Whether who sent a request of the API may do this at the current tenant.

    External effects presuppose that they may replay, as in the console.
    """
    if permission == EXTERNAL and not may(request, REPLAY):
        return False
    if permission in BY_ROLE and _leads(request):
        return True
    person = person_of(request)
    return person is not None and person.has_perm(permission)


def require(request: Request, permission: str) -> None:
    """Refuse who may not; for what depends on a request's body.

    Raises:
        PermissionDenied: with a sentence that names the permission.
    """
    if not may(request, permission):
        raise exceptions.PermissionDenied(wanted(permission))


def _leads(request: Request) -> bool:
    """Whether it comes from a program of the tenant, or from one of its managers and admins."""
    membership = getattr(request._request, "membership", None)
    return isinstance(request.auth, ApiKey) or (
        membership is not None and membership.role != Membership.Role.REP
    )


class Permitted(HasTenant):
    """Lets in who has the permission that a subclass names."""

    permission: str

    @property
    def message(self) -> str:  # type: ignore[override]
        """What who is refused is told."""
        if self.permission not in BY_ROLE:
            return wanted(self.permission)
        text = _("This needs the role manager or admin, or the permission “%(name)s”.")
        return text % {"name": named(self.permission)}

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """True for who belongs to the tenant and has the permission."""
        return super().has_permission(request, view) and may(request, self.permission)


class MayTriage(Permitted):
    """Lets in who may decide about failures."""

    permission = TRIAGE


class MayReplay(Permitted):
    """Lets in who may replay what stays in the database."""

    permission = REPLAY


class MayEdit(Permitted):
    """Lets in who may publish an event anew with another payload."""

    permission = EDIT
