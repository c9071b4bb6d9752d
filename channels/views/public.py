"""Pages that the world calls without a login: opting out with one click."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from channels.queries import lead_with
from channels.services.consent import opt_out
from channels.unsubscribing import Subscription, subscription_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant


@method_decorator(csrf_exempt, name="dispatch")
class UnsubscribeView(View):
    """Opt out of a channel: a GET asks, a POST acts, without cookies, login or redirect (RFC 8058).

    Link scanners follow every address of a mail with a GET: that one changes nothing.
    """

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Ask, with a button that posts."""
        return self._page(request, *_found(token), is_done=False)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Opt out; to do so twice is no error."""
        tenant, told = _found(token)
        with tenant_context(tenant):
            opt_out(
                lead_with(told.channel, told.address),
                channel=told.channel,
                address=told.address,
                source="unsubscribe_link",
                proof={
                    "message": str(told.message_id),
                    "one_click": request.POST.get("List-Unsubscribe") == "One-Click",
                    "user_agent": request.headers.get("User-Agent", "")[:300],
                },
            )
        return self._page(request, tenant, told, is_done=True)

    def _page(
        self, request: HttpRequest, tenant: Tenant, told: Subscription, *, is_done: bool
    ) -> HttpResponse:
        context: dict[str, Any] = {
            "company": tenant.name,
            "address": told.address,
            "is_done": is_done,
        }
        with translation.override(tenant.language):
            return render(request, "channels/unsubscribe.html", context)


def _found(token: str) -> tuple[Tenant, Subscription]:
    told = subscription_of(token)
    tenant = Tenant.objects.filter(pk=told.tenant_id).first() if told else None
    if told is None or tenant is None:
        raise Http404(_("This address is not valid any more."))
    return tenant, told
