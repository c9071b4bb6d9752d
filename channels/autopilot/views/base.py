"""What the autopilot's pages have in common."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from channels.autopilot.endpoints import endpoint_for
from channels.autopilot.policies import rule_of_tenant
from channels.autopilot.queries import count_waiting
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User
from salesflow.accounts.views import LEADING, TenantRequiredMixin

SECTION = "autopilot"


class AutopilotMixin(TenantRequiredMixin):
    """A page of the autopilot, for every member of the team."""

    request: Any
    kwargs: dict[str, Any]

    @property
    def user(self) -> User:
        """Whoever is logged in."""
        return self.request.user  # type: ignore[no-any-return]

    @property
    def is_leading(self) -> bool:
        """Whether they lead the team."""
        membership = getattr(self.request, "membership", None)
        return membership is not None and membership.role in LEADING

    def shell_context(self, tab: str) -> dict[str, Any]:
        """What autopilot/_tabs.html and autopilot/_state.html name."""
        return {
            "section": SECTION,
            "tab": tab,
            "is_leading": self.is_leading,
            "waiting_count": count_waiting(),
            "has_model": endpoint_for(current_tenant()) is not None,
            "is_held": rule_of_tenant().actions.is_held,
        }


def parts(
    request: HttpRequest, *rendered: tuple[str, dict[str, Any]], status: int = 200
) -> HttpResponse:
    """Parts of a page as an answer to htmx, with the toasts that are due."""
    html = [render_to_string(template, context, request) for template, context in rendered]
    toasts = render_to_string("components/toasts.html", {"oob": True}, request)
    return HttpResponse("".join([*html, toasts]), status=status)
