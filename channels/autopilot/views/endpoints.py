"""The settings of models: endpoints are connected, looked after and tried here, by those who lead
the team."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView, TemplateView, View

from channels.autopilot.budgets import standing
from channels.autopilot.connecting import (
    activate_endpoint,
    connect_endpoint,
    deactivate_endpoint,
    edit_endpoint,
    make_default,
    resume_endpoint,
)
from channels.autopilot.costs import dollars, exact_dollars
from channels.autopilot.endpoint_forms import EndpointForm
from channels.autopilot.endpoints import (
    address_of,
    endpoint_for,
    endpoint_of_installation,
    model_of,
    prices_of,
)
from channels.autopilot.health import health_of
from channels.autopilot.models import Endpoint
from channels.autopilot.trying import checks_of, is_under_way, request_check
from events.audit import lines_about
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User
from salesflow.accounts.views import LeadingRoleMixin

SHOWN_CHECKS, SHOWN_DEEDS = 5, 10
# What the audit calls what was done → how the page says it.
DEEDS = {
    "endpoint.connected": gettext_lazy("connected the endpoint"),
    "endpoint.edited": gettext_lazy("edited the endpoint"),
    "endpoint.made_default": gettext_lazy("had the team ask this one"),
    "endpoint.deactivated": gettext_lazy("took the endpoint out of use"),
    "endpoint.activated": gettext_lazy("took the endpoint into use"),
    "endpoint.resumed": gettext_lazy("let it be asked again"),
}


class EndpointListView(LeadingRoleMixin, TemplateView):
    """All endpoints, with how they are and which one is asked; without any, how to get one."""

    template_name = "autopilot/settings/endpoints.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What autopilot/settings/endpoints.html names."""
        tenant = current_tenant()
        endpoints, asked = _endpoints(), endpoint_for(tenant)
        health = health_of(endpoints)
        rows = [
            {
                "endpoint": endpoint,
                "health": health[endpoint.pk],
                "model": model_of(endpoint),
                "is_asked": asked is not None and asked.pk == endpoint.pk,
            }
            for endpoint in endpoints
        ]
        budget = standing(tenant)
        return super().get_context_data(
            section="settings",
            tab="models",
            rows=rows,
            asked=asked,
            budget=budget,
            left=dollars(budget.left),
            limit=dollars(budget.limit),
            **kwargs,
        )


class ConnectView(LeadingRoleMixin, FormView[EndpointForm]):
    """A new endpoint."""

    form_class = EndpointForm
    template_name = "autopilot/settings/connect.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What autopilot/settings/connect.html names."""
        return super().get_context_data(section="settings", tab="models", **kwargs)

    def form_valid(self, form: EndpointForm) -> HttpResponse:
        """Connect it, and show its page: there it can be tried."""
        if not form.run(lambda: self._connect(form)):
            return self.form_invalid(form)
        messages.success(self.request, _("%(name)s is connected.") % {"name": self.endpoint})
        return redirect(endpoint_url(self.endpoint))

    def form_invalid(self, form: EndpointForm) -> HttpResponse:
        """The form with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def _connect(self, form: EndpointForm) -> None:
        self.endpoint = connect_endpoint(
            form.cleaned_data["entered"],
            is_default=form.cleaned_data["is_default"],
            actor=self.request.user,  # type: ignore[arg-type]
        )


class EndpointMixin(LeadingRoleMixin):
    """A page about one endpoint of the tenant; anything else is not found."""

    request: Any
    kwargs: dict[str, Any]

    @cached_property
    def endpoint(self) -> Endpoint:
        """The endpoint that the address names."""
        found = [each for each in _endpoints() if each.pk == self.kwargs["endpoint_id"]]
        if not found:
            raise Http404
        return found[0]

    @property
    def user(self) -> User:
        """Whoever is logged in."""
        return self.request.user  # type: ignore[no-any-return]


class EndpointView(EndpointMixin, FormView[EndpointForm]):
    """One endpoint: how it is, trying it, its settings and prices, and who did what with it."""

    form_class = EndpointForm
    template_name = "autopilot/settings/endpoint.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form begins with the endpoint as it is, without its key."""
        return super().get_form_kwargs() | {"endpoint": self.endpoint}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What autopilot/settings/endpoint.html names."""
        endpoint = self.endpoint
        lines = lines_about(endpoint, self.user).filter(tenant=endpoint.tenant_id)[:SHOWN_DEEDS]
        return super().get_context_data(
            section="settings",
            tab="models",
            **_priced(endpoint),
            deeds=[{"line": line, "text": DEEDS.get(line.action, line.action)} for line in lines],
            **state_of(endpoint),
            **kwargs,
        )

    def form_valid(self, form: EndpointForm) -> HttpResponse:
        """Save it."""
        entered = form.cleaned_data["entered"]
        if not form.run(lambda: edit_endpoint(self.endpoint, entered, actor=self.user)):
            return self.form_invalid(form)
        messages.success(self.request, _("%(name)s was saved.") % {"name": self.endpoint})
        return redirect(endpoint_url(self.endpoint))

    def form_invalid(self, form: EndpointForm) -> HttpResponse:
        """The form with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)


class EndpointStateView(EndpointMixin, View):
    """How an endpoint is, and what came of trying it: a part of its page that fetches itself."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The part for htmx, else the page."""
        if not request.htmx:  # type: ignore[attr-defined]
            return redirect(endpoint_url(self.endpoint))
        return render(request, "autopilot/settings/_state.html", state_of(self.endpoint))


class CheckView(EndpointMixin, View):
    """Try an endpoint; a worker does it."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Ask for it, and show that it is under way."""
        problems: list[str] = []
        try:
            request_check(self.endpoint, actor=self.user)
        except ValidationError as error:
            problems = error.messages
        if request.htmx:  # type: ignore[attr-defined]
            context = {**state_of(self.endpoint), "problems": problems}
            status = 422 if problems else 200
            return render(request, "autopilot/settings/_state.html", context, status=status)
        for problem in problems:
            messages.error(request, problem)
        return redirect(endpoint_url(self.endpoint))


class DeedView(EndpointMixin, View):
    """A button on an endpoint's page: make it the default, take it out of use or into use again,
    let it be asked again after it was stopped."""

    http_method_names = ["post"]
    deed = ""

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Do it and say so."""
        try:
            messages.success(request, DO[self.deed](self.endpoint, self.user))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        return redirect(endpoint_url(self.endpoint))


def _make_default(endpoint: Endpoint, user: User) -> str:
    make_default(endpoint, actor=user)
    return _("%(name)s is asked from now on.") % {"name": endpoint}


def _deactivate(endpoint: Endpoint, user: User) -> str:
    heir = deactivate_endpoint(endpoint, actor=user)
    told = {"name": endpoint, "heir": heir}
    if heir:
        return _("%(name)s is out of use; %(heir)s is asked now.") % told
    return _("%(name)s is out of use; no model is asked now.") % told


def _activate(endpoint: Endpoint, user: User) -> str:
    activate_endpoint(endpoint, actor=user)
    return _("%(name)s is in use again.") % {"name": endpoint}


def _resume(endpoint: Endpoint, user: User) -> str:
    resume_endpoint(endpoint, actor=user)
    return _("%(name)s is asked again: what waited goes on.") % {"name": endpoint}


DO = {
    "default": _make_default,
    "deactivate": _deactivate,
    "activate": _activate,
    "resume": _resume,
}


def state_of(endpoint: Endpoint) -> dict[str, Any]:
    """What autopilot/settings/_state.html names."""
    checks = checks_of(endpoint, SHOWN_CHECKS)
    asked = endpoint_for(current_tenant())
    return {
        "endpoint": endpoint,
        "model": model_of(endpoint),
        "host": "" if endpoint.is_of_installation else address_of(endpoint),
        "is_asked": asked is not None and asked.pk == endpoint.pk,
        "health": health_of([endpoint])[endpoint.pk],
        "checks": [{"run": run, "cost": dollars(run.cost)} for run in checks],
        "is_under_way": bool(checks) and is_under_way(checks[0]),
    }


def _priced(endpoint: Endpoint) -> dict[str, Any]:
    """What is charged now, and by whose word."""
    prices = prices_of(endpoint, timezone.now())
    cached = prices.prompt if prices.cached_prompt is None else prices.cached_prompt
    rows = [
        (_("Read"), prices.prompt),
        (_("Read from its cache"), cached),
        (_("Written"), prices.completion),
    ]
    if prices.thousand_calls:
        rows.append((_("A thousand calls"), prices.thousand_calls))
    return {"prices": prices, "priced": [(name, exact_dollars(price)) for name, price in rows]}


def endpoint_url(endpoint: Endpoint) -> str:
    """The address of an endpoint's page."""
    return reverse("autopilot-settings:endpoint", args=[endpoint.pk])


def _endpoints() -> list[Endpoint]:
    """The tenant's own, and the installation's as far as there is one."""
    own = Endpoint.objects.exclude(base_url="")
    rows = list(own.order_by("-is_active", "-is_default", "name", "id"))
    shared = endpoint_of_installation(current_tenant())
    return [*rows, shared] if shared else rows
