"""Pages that belong to no business app: the mixin of all web views, one's own account, errors."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse_lazy
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views import defaults, i18n
from django.views.decorators.http import require_POST
from django.views.generic import UpdateView
from rest_framework import exceptions

from salesflow.accounts.forms import LoginForm, ProfileForm
from salesflow.accounts.models import Membership, User
from salesflow.accounts.rest.errors import error_body

LEADING = (Membership.Role.MANAGER, Membership.Role.ADMIN)


class TenantRequiredMixin(LoginRequiredMixin):
    """Lets in members of a tenant: others log in, and who is no member gets a 403."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Check before any handler runs."""
        if not request.user.is_authenticated:
            return self.handle_no_permission()
        if request.tenant is None:  # type: ignore[attr-defined]
            raise PermissionDenied(_("You are a member of no tenant. Ask an admin to add you."))
        return super().dispatch(request, *args, **kwargs)


class LeadingRoleMixin(TenantRequiredMixin):
    """Lets in those who lead a team: its managers and admins."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Check before any handler runs."""
        membership = getattr(request, "membership", None)
        if membership and membership.role not in LEADING:
            raise PermissionDenied(_("Only managers and admins of your team may do this."))
        return super().dispatch(request, *args, **kwargs)


class LoginView(auth_views.LoginView):
    """Log in by e-mail address."""

    authentication_form = LoginForm
    redirect_authenticated_user = True


class ProfileView(TenantRequiredMixin, UpdateView[User, ProfileForm]):
    """One's own name, language and time zone, and what mails one gets."""

    form_class = ProfileForm
    template_name = "accounts/profile.html"
    success_url = reverse_lazy("accounts:profile")

    def get_object(self, queryset: Any = None) -> User:
        """Whoever is logged in, read anew: the form writes on it before it is valid."""
        return User.objects.get(email=self.request.user.email)  # type: ignore[union-attr]

    def form_valid(self, form: ProfileForm) -> HttpResponse:
        """Save, and say so in the language that was chosen."""
        response = super().form_valid(form)
        messages.success(self.request, _("Your profile was saved."))
        return response


class PasswordView(TenantRequiredMixin, auth_views.PasswordChangeView):
    """Change one's own password; other sessions of the account are logged out."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("accounts:profile")

    def form_valid(self, form: Any) -> HttpResponse:
        """Save, and stay logged in here."""
        response: HttpResponse = super().form_valid(form)
        messages.success(self.request, _("Your password was changed."))
        return response


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Speak another language: in this browser, and to this person wherever they log in."""
    language = request.POST.get("language", "")
    if request.user.is_authenticated and check_for_language(language):
        User.objects.filter(pk=request.user.pk).update(language=language)
    return i18n.set_language(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A 400 in the shape of whoever asked: JSON under /api/, else Django's page."""
    if is_api(request):
        return JsonResponse(error_body(exceptions.ParseError(), request), status=400)
    return defaults.bad_request(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A 404 in the shape of whoever asked: JSON under /api/, else a page."""
    if is_api(request):
        return JsonResponse(error_body(exceptions.NotFound(), request), status=404)
    return TemplateResponse(request, "404.html", status=404).render()


def server_error(request: HttpRequest) -> HttpResponse:
    """A 500 in the shape of whoever asked; the traceback is in the log, not in the answer."""
    if is_api(request):
        return JsonResponse(error_body(exceptions.APIException(), request), status=500)
    return TemplateResponse(request, "500.html", status=500).render()


def is_api(request: HttpRequest) -> bool:
    """Whether a program asks, which wants JSON."""
    return f"{request.path_info}/".startswith("/api/")
