"""The settings of channels: accounts are connected, looked after and tried here, by those who lead
the team."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView, TemplateView, View

from channels.account_forms import AccountForm, TrialForm
from channels.health import health_of
from channels.models import Account, AccountTrial, Channel
from channels.services.accounts import (
    activate_account,
    connect_account,
    deactivate_account,
    edit_account,
    make_default,
    resume_account,
)
from channels.transports import Transport, TransportError, transport_named, transports_for
from channels.trials import is_under_way, kinds_for, request_trial, webhook_url
from events.audit import lines_about
from salesflow.accounts.models import User
from salesflow.accounts.views import LeadingRoleMixin

SHOWN_TRIALS, SHOWN_DEEDS = 5, 10
# What the audit calls what was done → how the page says it.
DEEDS = {
    "account.connected": gettext_lazy("connected it"),
    "account.edited": gettext_lazy("edited it"),
    "account.made_default": gettext_lazy("made it the default"),
    "account.deactivated": gettext_lazy("took it out of use"),
    "account.activated": gettext_lazy("took it into use"),
    "account.resumed": gettext_lazy("let it send again"),
}


class AccountListView(LeadingRoleMixin, TemplateView):
    """All accounts, by channel, with how they are."""

    template_name = "channels/settings/accounts.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What channels/settings/accounts.html names."""
        accounts = list(Account.objects.order_by("-is_active", "-is_default", "name", "id"))
        health = health_of(accounts)
        groups = [
            {
                "channel": channel,
                "rows": [
                    {
                        "account": account,
                        "health": health[account.pk],
                        "transport": _label_of(account),
                    }
                    for account in accounts
                    if account.channel == channel
                ],
            }
            for channel in Channel
        ]
        return super().get_context_data(section="settings", tab="accounts", groups=groups, **kwargs)


class ConnectView(LeadingRoleMixin, FormView[AccountForm]):
    """A new account: first what it is, then what has to be known of it."""

    form_class = AccountForm

    def get_template_names(self) -> list[str]:
        """The choice, until it is made."""
        name = "account_form" if self.chosen else "transports"
        return [f"channels/settings/{name}.html"]

    @cached_property
    def chosen(self) -> tuple[Channel, Transport] | None:
        """The channel and the transport that the address names."""
        channel, name = self.request.GET.get("channel"), self.request.GET.get("transport")
        if channel not in Channel.values:
            return None
        found = [each for each in transports_for(channel) if each.name == name]
        return (Channel(channel), found[0]) if found else None

    def get_form(self, form_class: Any = None) -> Any:
        """None while nothing is chosen."""
        return super().get_form(form_class) if self.chosen else None

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form is the transport's."""
        assert self.chosen
        channel, transport = self.chosen
        return super().get_form_kwargs() | {"channel": channel, "transport": transport}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What either template names."""
        kinds = [{"channel": channel, "transports": transports_for(channel)} for channel in Channel]
        return super().get_context_data(section="settings", kinds=kinds, account=None, **kwargs)

    def form_valid(self, form: AccountForm) -> HttpResponse:
        """Connect it, and show its page: there it can be tried."""
        assert self.chosen
        if not form.run(lambda: self._connect(form)):
            return self.form_invalid(form)
        messages.success(self.request, _("%(name)s is connected.") % {"name": self.account})
        return redirect(account_url(self.account))

    def form_invalid(self, form: AccountForm) -> HttpResponse:
        """The form with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Nothing is connected before it is said what."""
        if self.chosen is None:
            raise Http404
        return super().post(request, *args, **kwargs)

    def _connect(self, form: AccountForm) -> None:
        assert self.chosen
        channel, transport = self.chosen
        self.account = connect_account(
            channel=channel,
            transport=transport.name,
            actor=self.request.user,  # type: ignore[arg-type]
            **form.given,
        )


class AccountMixin(LeadingRoleMixin):
    """A page about one account of the tenant; anything else is not found."""

    request: Any
    kwargs: dict[str, Any]

    @cached_property
    def account(self) -> Account:
        """The account that the address names."""
        found: Account = get_object_or_404(Account.objects.all(), pk=self.kwargs["account_id"])
        return found

    @property
    def user(self) -> User:
        """Whoever is logged in."""
        return self.request.user  # type: ignore[no-any-return]


class AccountView(AccountMixin, FormView[AccountForm]):
    """One account: how it is, trying it, its settings, and who did what with it."""

    form_class = AccountForm
    template_name = "channels/settings/account.html"

    def get_form(self, form_class: Any = None) -> Any:
        """None for an account whose transport is not installed any more."""
        return super().get_form(form_class) if _transport_of(self.account) else None

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form begins with the account as it is, without its secrets."""
        given = {"channel": Channel(self.account.channel), "account": self.account}
        return super().get_form_kwargs() | given | {"transport": _transport_of(self.account)}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What channels/settings/account.html names."""
        account = self.account
        lines = lines_about(account, self.user).filter(tenant=account.tenant_id)[:SHOWN_DEEDS]
        return super().get_context_data(
            section="settings",
            transport=_label_of(account),
            webhook_url=webhook_url(account),
            deeds=[{"line": line, "text": DEEDS.get(line.action, line.action)} for line in lines],
            **state_of(account),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """There is nothing to save for a transport that is not installed any more."""
        if _transport_of(self.account) is None:
            raise Http404
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AccountForm) -> HttpResponse:
        """Save it."""
        if not form.run(lambda: edit_account(self.account, actor=self.user, **form.given)):
            return self.form_invalid(form)
        messages.success(self.request, _("%(name)s was saved.") % {"name": self.account.name})
        return redirect(account_url(self.account))

    def form_invalid(self, form: AccountForm) -> HttpResponse:
        """The form with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)


class AccountStateView(AccountMixin, View):
    """How an account is, and what came of trying it: a part of its page that fetches itself."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The part for htmx, else the page."""
        if not request.htmx:  # type: ignore[attr-defined]
            return redirect(account_url(self.account))
        return render(request, "channels/settings/_state.html", state_of(self.account))


class TrialView(AccountMixin, View):
    """Try an account; a worker does it."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Ask for it, and show that it is under way."""
        form = TrialForm(request.POST)
        done = form.is_valid() and form.run(
            lambda: request_trial(self.account, actor=self.user, **form.cleaned_data)
        )
        problems = [str(problem) for errors in form.errors.values() for problem in errors]
        if request.htmx:  # type: ignore[attr-defined]
            context = {**state_of(self.account), "problems": problems}
            status = 200 if done else 422
            return render(request, "channels/settings/_state.html", context, status=status)
        for problem in problems:
            messages.error(request, problem)
        return redirect(account_url(self.account))


class DeedView(AccountMixin, View):
    """A button on an account's page: make it the default, take it out of use or into use again, let
    it send again after it was stopped."""

    http_method_names = ["post"]
    deed = ""

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Do it and say so."""
        try:
            messages.success(request, DO[self.deed](self.account, self.user))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        return redirect(account_url(self.account))


def _make_default(account: Account, user: User) -> str:
    make_default(account, actor=user)
    return _("New conversations begin with %(name)s.") % {"name": account.name}


def _deactivate(account: Account, user: User) -> str:
    heir = deactivate_account(account, actor=user)
    told = {"name": account.name, "heir": heir.name if heir else ""}
    if heir:
        return _("%(name)s is out of use; new conversations begin with %(heir)s.") % told
    return _("%(name)s is out of use; nothing is sent on this channel now.") % told


def _activate(account: Account, user: User) -> str:
    activate_account(account, actor=user)
    return _("%(name)s is in use again.") % {"name": account.name}


def _resume(account: Account, user: User) -> str:
    resume_account(account, actor=user)
    return _("%(name)s sends again: what waited goes out.") % {"name": account.name}


DO = {
    "default": _make_default,
    "deactivate": _deactivate,
    "activate": _activate,
    "resume": _resume,
}


def state_of(account: Account) -> dict[str, Any]:
    """What channels/settings/_state.html names."""
    rows = AccountTrial.objects.filter(account=account).select_related("actor").order_by("-id")
    trials = list(rows[:SHOWN_TRIALS])
    account = Account.objects.get(pk=account.pk)
    return {
        "account": account,
        "health": health_of([account])[account.pk],
        "trials": trials,
        "is_under_way": bool(trials) and is_under_way(trials[0]),
        "kinds": kinds_for(account),
    }


def account_url(account: Account) -> str:
    """The address of an account's page."""
    return reverse("channels-settings:account", args=[account.pk])


def _transport_of(account: Account) -> Transport | None:
    try:
        return transport_named(account.transport)
    except TransportError:
        return None


def _label_of(account: Account) -> Any:
    transport = _transport_of(account)
    return transport.label if transport else account.transport
