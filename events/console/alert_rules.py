"""Alert rules in the admin: who is told of what, and whether that arrives.

The secret of a webhook is made here, shown once, and never again.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminURLInputWidget

from events import audit
from events.alerts import webhooks
from events.alerts.messages import test_message
from events.alerts.sending import send_mail, send_webhook
from events.console.pages import InTime
from events.external.timeouts import TimedOut, call_within
from events.models import AlertRule, AuditLine
from events.retry import Permanent, Retry
from salesflow.accounts.admin_scope import TenantFilter, TenantScopedAdmin
from salesflow.accounts.ids import first_uuid7_of, uuid7

MOST_EMAILS = 20
# Tests of a rule within an hour, and seconds that one may take: a web worker waits for it.
MOST_TESTS, LONGEST_TEST = 10, 20.0
ALERTS_SHOWN = 10
# A digest is the event of many; by alerts_by_time.
ALERTS_READ = 1000
ALL_PER_CENT = 100
LONGEST_AGE = 365 * 86400
WITH_THRESHOLD = {AlertRule.Kind.FAILURE_RATE, AlertRule.Kind.OLDEST_PENDING}


class EmailsField(forms.CharField):
    """E-mail addresses, one a line."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        """The addresses as they are typed."""
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether other addresses were typed."""
        return list(initial or []) != _addresses_in(data or "")

    def clean(self, value: Any) -> Any:
        """The addresses, each once.

        Raises:
            ValidationError: naming the address that is none.
        """
        addresses = _addresses_in(super().clean(value))
        for address in addresses:
            try:
                validate_email(address)
            except ValidationError:
                said = _("“%(address)s” is no e-mail address.") % {"address": address[:100]}
                raise ValidationError(said) from None
        if len(addresses) > MOST_EMAILS:
            raise ValidationError(_("At most %(most)d addresses.") % {"most": MOST_EMAILS})
        return addresses


def _addresses_in(text: str) -> list[str]:
    return list(dict.fromkeys(text.replace(",", " ").replace(";", " ").split()))


class AlertRuleForm(forms.ModelForm[AlertRule]):
    """A rule; each kind with the threshold that it needs, and somewhere to tell."""

    emails = EmailsField(
        label=gettext_lazy("E-mail addresses"),
        required=False,
        help_text=gettext_lazy("One a line."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    webhook_url = forms.URLField(
        label=gettext_lazy("Webhook"),
        required=False,
        max_length=200,
        assume_scheme="https",
        help_text=gettext_lazy("Alerts are posted there as JSON, signed with a secret."),
        widget=UnfoldAdminURLInputWidget,
    )

    class Meta:
        model = AlertRule
        fields = ("tenant", "name", "kind", "threshold", "emails", "webhook_url", "is_active")

    def clean_webhook_url(self) -> str:
        """An address that may be called, as far as that is known without a look-up."""
        url: str = self.cleaned_data["webhook_url"]
        if url:
            try:
                webhooks.check_address(url)
            except Permanent as refused:
                raise ValidationError(str(refused)) from None
        return url

    def clean(self) -> dict[str, Any]:
        """See to it that the rule can find something, and tell somebody."""
        given = super().clean() or {}
        kind, threshold = given.get("kind"), given.get("threshold")
        if kind in WITH_THRESHOLD and "threshold" in given:
            self._check_threshold(kind, threshold)
        elif threshold is not None:
            self.add_error("threshold", _("Rules of this kind have no threshold."))
        if not self.errors and not given.get("emails") and not given.get("webhook_url"):
            self.add_error("emails", _("Name an address or a webhook: else nobody is told."))
        return given

    def _check_threshold(self, kind: Any, threshold: float | None) -> None:
        given = -1.0 if threshold is None else threshold
        if kind == AlertRule.Kind.FAILURE_RATE and not 0 <= given < ALL_PER_CENT:
            self.add_error("threshold", _("Give per cent, from 0 to less than 100."))
        elif kind == AlertRule.Kind.OLDEST_PENDING and not 1 <= given <= LONGEST_AGE:
            self.add_error("threshold", _("Give seconds, from 1 on."))


@admin.register(AlertRule)
class AlertRuleAdmin(InTime, TenantScopedAdmin):
    """Rules, and “send a test”."""

    form = AlertRuleForm
    list_display = ["name", "when", "tells", "tenant", "is_active"]
    list_filter = [TenantFilter]
    list_select_related = ["tenant"]
    readonly_fields = ["secret", "last_alerts"]
    ordering = ["name"]
    sortable_by = ()
    change_form_outer_before_template = "admin/events/alertrule/buttons.html"

    @display(description=gettext_lazy("when"))
    def when(self, rule: AlertRule) -> str:
        """What it waits for."""
        text = str(rule.get_kind_display())
        return text if rule.threshold is None else f"{text} > {rule.threshold:g}"

    @display(description=gettext_lazy("tells"))
    def tells(self, rule: AlertRule) -> str:
        """Whom."""
        webhook = [_("webhook")] if rule.webhook_url else []
        return ", ".join([*rule.emails, *webhook])

    @display(description=gettext_lazy("secret"))
    def secret(self, rule: AlertRule) -> str:
        """Whether there is one; never which."""
        return _("made, and not shown again") if rule.webhook_secret else _("none")

    @display(description=gettext_lazy("last alerts"))
    def last_alerts(self, rule: AlertRule) -> Any:
        """What it told last, linked to the events of that."""
        told = rule.alerts.filter(event_id__isnull=False).order_by("-raised_at")
        last: dict[Any, datetime] = {}
        for event_id, raised_at in told.values_list("event_id", "raised_at")[:ALERTS_READ]:
            last.setdefault(event_id, raised_at)
        rows = [
            (
                reverse("admin:events_event_change", args=[event_id]),
                f"{timezone.localtime(raised_at):%Y-%m-%d %H:%M:%S}",
            )
            for event_id, raised_at in list(last.items())[:ALERTS_SHOWN]
        ]
        return format_html_join(", ", '<a href="{}">{}</a>', rows) or "–"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A rule that is there has told of something, perhaps."""
        return [*AlertRuleForm.Meta.fields, *(self.readonly_fields if obj else [])]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only superusers are told of every tenant."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if not request.user.is_superuser:
            field.required = True
        return field

    # --- Writing --------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the rule, with a secret where it needs one."""
        if not obj.webhook_url:
            obj.webhook_secret = ""
        elif not obj.webhook_secret:
            _make_secret(request, obj)
        super().save_model(request, obj, form, change)
        _record("changed" if change else "added", obj, request, fields=form.changed_data)
        if obj.emails and not settings.EMAIL_URL:
            text = _("No mail server is set (SALESFLOW_EMAIL_URL): its mails will fail.")
            messages.warning(request, text)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[str], list[Any]]:
        """The rules alone: of the alerts that go with them there may be thousands to name."""
        rules = list(objs)
        return [str(rule) for rule in rules], {self.opts.verbose_name_plural: len(rules)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete a rule; what it told stays in the log."""
        _record("deleted", obj, request)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AlertRule]) -> None:
        """Delete the ticked rules."""
        for rule in queryset.select_related("tenant"):
            _record("deleted", rule, request)
        super().delete_queryset(request, queryset)

    # --- Buttons --------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        """Also what the buttons post to."""
        return [
            path("<uuid:rule_id>/test/", self._view(self.send_test), name="events_alertrule_test"),
            path(
                "<uuid:rule_id>/secret/",
                self._view(self.renew_secret),
                name="events_alertrule_secret",
            ),
            *super().get_urls(),
        ]

    def _view(self, act: Callable[[HttpRequest, AlertRule], None]) -> Any:
        """A view that does something with a rule that the user may change, and goes back to it."""

        @require_POST
        def view(request: HttpRequest, rule_id: UUID) -> HttpResponse:
            rule = self.get_queryset(request).filter(pk=rule_id).first()
            if rule is None:
                raise Http404
            if not self.has_change_permission(request, rule):
                raise PermissionDenied
            act(request, rule)
            return redirect("admin:events_alertrule_change", rule.pk)

        return self.admin_site.admin_view(view)

    def send_test(self, request: HttpRequest, rule: AlertRule) -> None:
        """Send a test to all whom the rule tells, and say what came of it."""
        if _tests_of_late(rule) >= MOST_TESTS:
            text = _("At most %(most)d tests of a rule within an hour.")
            messages.error(request, text % {"most": MOST_TESTS})
            return
        message, message_id = test_message(rule), uuid7()
        _record("tested", rule, request)
        if rule.emails:
            _tell(request, lambda: _mailed(send_mail(rule, message, message_id)))
        if rule.webhook_url:
            _tell(request, lambda: _posted(send_webhook(rule, message, message_id, {})))

    def renew_secret(self, request: HttpRequest, rule: AlertRule) -> None:
        """Make the webhook's secret anew; the old one signs nothing from now on."""
        if not rule.webhook_url:
            messages.error(request, _("This rule has no webhook."))
            return
        with transaction.atomic():
            _make_secret(request, rule)
            rule.save(update_fields=["webhook_secret"])
            _record("secret_renewed", rule, request)


def _tests_of_late(rule: AlertRule) -> int:
    """How many tests of it the audit has of the last hour."""
    target_type, target_id = audit.address_of(rule)
    lines = AuditLine.objects.filter(target_type=target_type, target_id=target_id)
    an_hour_ago = first_uuid7_of(timezone.now(), -timedelta(hours=1))
    return lines.filter(pk__gt=an_hour_ago, action="alert_rule.tested").count()


def _make_secret(request: HttpRequest, rule: AlertRule) -> None:
    """Give the rule a secret, and show it this once."""
    rule.webhook_secret = webhooks.new_secret()
    text = _("This is the secret of the webhook. Copy it now, it will never be shown again: {}")
    shown = format_html('<code class="api-key">{}</code>', rule.webhook_secret)
    messages.warning(request, format_html(text, shown))


def _record(what: str, rule: AlertRule, request: HttpRequest, **details: Any) -> None:
    user: Any = request.user
    named = {"name": rule.name, **details}
    audit.record(f"alert_rule.{what}", rule, actor=user, tenant=rule.tenant, details=named)


def _tell(request: HttpRequest, send: Callable[[], str]) -> None:
    """Send something, and say what came of it."""
    try:
        messages.success(request, call_within(LONGEST_TEST, send))
    except (Permanent, Retry, TimedOut, webhooks.WebhookFailed, OSError) as error:
        said = _("The test failed: %(reason)s") % {"reason": f"{type(error).__name__}: {error}"}
        messages.error(request, said)


def _mailed(count: int) -> str:
    text = ngettext(
        "The mail server took the test for %(n)d address.",
        "The mail server took the test for %(n)d addresses.",
        count,
    )
    return text % {"n": count}


def _posted(status: int) -> str:
    return _("The webhook answered %(status)d.") % {"status": status}
