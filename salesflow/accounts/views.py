"""Pages that belong to no business app: the mixin of all web views, and error pages."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions

from salesflow.accounts.rest.errors import error_body


class TenantRequiredMixin(LoginRequiredMixin):
    """Lets in members of a tenant: others log in, and who is no member gets a 403."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Check before any handler runs."""
        if not request.user.is_authenticated:
            return self.handle_no_permission()
        if request.tenant is None:  # type: ignore[attr-defined]
            raise PermissionDenied(_("You are a member of no tenant. Ask an admin to add you."))
        return super().dispatch(request, *args, **kwargs)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A 404 in the shape of whoever asked: JSON under /api/, else a page."""
    if request.path_info.startswith("/api"):
        return JsonResponse(error_body(exceptions.NotFound(), request), status=404)
    return TemplateResponse(request, "404.html", status=404).render()


def server_error(request: HttpRequest) -> HttpResponse:
    """A 500 in the shape of whoever asked; the traceback is in the log, not in the answer."""
    if request.path_info.startswith("/api"):
        return JsonResponse(error_body(exceptions.APIException(), request), status=500)
    return TemplateResponse(request, "500.html", status=500).render()
