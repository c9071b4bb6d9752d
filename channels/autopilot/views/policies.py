"""The rules: how much is left to the autopilot, in the team and on each channel. Those who lead the
team say it."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.generic import FormView, View

from channels.autopilot.forms import RuleForm, TenantRuleForm
from channels.autopilot.models import Policy
from channels.autopilot.policies import forget_rule, hold, rule_of_tenant, save_rule
from channels.autopilot.views.base import AutopilotMixin
from channels.models import Channel
from salesflow.accounts.views import LeadingRoleMixin


class RuleView(LeadingRoleMixin, AutopilotMixin, FormView[RuleForm]):
    """One rule: the team's, or a channel's, with the others named beside it."""

    template_name = "autopilot/rules.html"

    @cached_property
    def channel(self) -> str:
        """The channel that the address names; empty: the team's own rule."""
        channel: str = self.kwargs.get("channel", "")
        if channel and channel not in Channel.values:
            raise Http404(_("There is no such channel."))
        return channel

    @cached_property
    def policy(self) -> Policy | None:
        """The rule as it is; None: there is none yet."""
        rows = Policy.objects.filter(conversation=None, channel=self.channel)
        found: Policy | None = rows.first()
        return found

    def get_form_class(self) -> type[RuleForm]:
        """The team's rule says more than a channel's."""
        return RuleForm if self.channel else TenantRuleForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """A channel begins with what holds in the team."""
        begins = self.policy or Policy.objects.filter(conversation=None, channel="").first()
        return super().get_form_kwargs() | {"policy": begins}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What autopilot/rules.html names."""
        modes = {name: rule_of_tenant(name) for name in ("", *Channel.values)}
        return super().get_context_data(
            **self.shell_context("rules"),
            channel=self.channel,
            channel_label=Channel(self.channel).label if self.channel else "",
            policy=self.policy,
            scopes=[
                {"channel": name, "label": Channel(name).label if name else _("Team"), "rule": rule}
                for name, rule in modes.items()
            ],
            **kwargs,
        )

    def form_valid(self, form: RuleForm) -> HttpResponse:
        """Save it."""
        given: dict[str, Any] = {"mode": form.cleaned_data["mode"]}
        if isinstance(form, TenantRuleForm):
            given |= {"actions": form.actions, "criteria": form.cleaned_data["criteria"]}
        limits, actor = form.cleaned_data["limits"], self.user
        if not form.run(
            lambda: save_rule(channel=self.channel, limits=limits, actor=actor, **given)
        ):
            return self.form_invalid(form)
        messages.success(self.request, _("The rule was saved; it holds from now on."))
        return redirect(self.request.path)

    def form_invalid(self, form: RuleForm) -> HttpResponse:
        """The form with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)


class ForgetRuleView(LeadingRoleMixin, View):
    """Let a channel go by the team's rule again."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, channel: str) -> HttpResponse:
        """Forget it."""
        if channel not in Channel.values:
            raise Http404(_("There is no such channel."))
        forget_rule(channel)
        messages.success(request, _("This channel goes by the team's rule now."))
        return redirect("autopilot:rules")


class HoldView(LeadingRoleMixin, AutopilotMixin, View):
    """The brake."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Pull it, or let go of it."""
        is_held = request.POST.get("held") == "1"
        hold(is_held=is_held, actor=self.user)
        said = _("The autopilot is held: nothing is asked and nothing is sent.")
        messages.success(request, said if is_held else _("The autopilot works again."))
        return redirect("autopilot:rules")
