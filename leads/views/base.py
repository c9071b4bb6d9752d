"""What the pages about one lead have in common."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.http import reswap, retarget, trigger_client_event

from leads.models import Lead
from leads.queries import lead_with_stages
from salesflow.accounts.models import Membership, User
from salesflow.accounts.views import TenantRequiredMixin


class LeadMixin(TenantRequiredMixin):
    """A page about one lead of the tenant; anything else is not found."""

    request: Any
    kwargs: dict[str, Any]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer 404 also when the lead goes while the request is answered."""
        try:
            return super().dispatch(request, *args, **kwargs)
        except Lead.DoesNotExist as error:
            raise Http404(_("There is no such lead.")) from error

    @cached_property
    def lead(self) -> Lead:
        """The lead that the address names."""
        return lead_with_stages(self.kwargs["lead_id"])

    @property
    def user(self) -> User:
        """Whoever is logged in."""
        return self.request.user  # type: ignore[no-any-return]


def open_stages(lead: Lead) -> list[Any]:
    """The stages that the head of a lead's page offers, in order."""
    return [stage for stage in lead.stage.pipeline.stages.all() if stage.kind == "open"]


def shows_trouble(request: Any) -> bool:
    """Whether somebody is told which events wait or failed."""
    leading = (Membership.Role.MANAGER, Membership.Role.ADMIN)
    return request.user.is_staff or request.membership.role in leading


def fragment(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A part of a page as an answer to htmx, with the toasts that are due."""
    toasts = render_to_string("components/toasts.html", {"oob": True}, request)
    html = render_to_string(template, context, request)
    return HttpResponse(html + toasts)


def changed_lead(request: HttpRequest, lead: Lead, toast: str) -> HttpResponse:
    """The answer to htmx after a change made on a lead's page: its head anew.

    Timeline and facts listen to the event `lead-changed` and fetch themselves.
    """
    messages.success(request, toast)
    lead = lead_with_stages(lead.pk)
    context = {"lead": lead, "stages": open_stages(lead)}
    response = fragment(request, "leads/_header.html", context)
    return announce_change(reswap(retarget(response, "#lead-header"), "outerHTML"))


def announce_change(response: HttpResponse) -> HttpResponse:
    """Close the dialog, if one is open, and let the page fetch what depends on the lead."""
    return trigger_client_event(trigger_client_event(response, "dialog-close"), "lead-changed")


def lead_url(lead: Lead) -> str:
    """The address of a lead's page."""
    return reverse("leads:detail", args=[lead.pk])
