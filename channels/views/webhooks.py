"""Where vendors hand over what came in: kept at once, read later."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from channels.models import Account
from channels.receiving import store_inbound
from channels.services.accounts import note_error_now_and_then, settings_of
from channels.transports import AccountRefused
from channels.transports.whatsapp import WhatsAppSettings, WhatsAppTransport
from channels.transports.whatsapp.webhook import accounts_meant, is_same, is_signed
from salesflow.accounts.context import tenant_context

# Bytes. Source: WhatsApp Business Platform, "Webhooks": a call has up to 3 MB.
LONGEST = 3 * 1024 * 1024
UNSIGNED = _("A call to the webhook had a wrong signature: compare the app secret with Meta's.")
FORBIDDEN, TOO_LARGE = 403, 413


@method_decorator(csrf_exempt, name="dispatch")
class WhatsAppWebhook(View):
    """Meta's calls for the numbers of an account's app.

    Whoever does not know the account's secrets learns nothing, not even whether there is such an
    account. What cannot be checked is refused: Meta tries for seven days.
    """

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, account_id: UUID) -> HttpResponse:
        """The handshake: give back the challenge to who knows the words that we agreed on."""
        found = _account_with_settings(account_id)
        given = request.GET
        if found is None or given.get("hub.mode") != "subscribe":
            return _plain("", FORBIDDEN)
        if not is_same(given.get("hub.verify_token", ""), found[1].verify_token.get_secret_value()):
            return _plain("", FORBIDDEN)
        return _plain(given.get("hub.challenge", ""))

    def post(self, request: HttpRequest, account_id: UUID) -> HttpResponse:
        """Keep a signed call and answer; a handler reads it."""
        body = request.read(LONGEST + 1)
        if len(body) > LONGEST:
            return _plain("", TOO_LARGE)
        found = _account_with_settings(account_id)
        if found is None:
            return _plain("", FORBIDDEN)
        account, known = found
        header = request.headers.get("X-Hub-Signature-256", "")
        with tenant_context(account.tenant):
            if not is_signed(body, header, known.app_secret.get_secret_value()):
                note_error_now_and_then(account.pk, UNSIGNED)
                return _plain("", FORBIDDEN)
            for each in accounts_meant(account, body):
                store_inbound(each, body)
        return _plain("")


def _account_with_settings(account_id: UUID) -> tuple[Account, WhatsAppSettings] | None:
    """The account and what a call is checked with; None: it cannot be checked."""
    rows = Account.unscoped.select_related("tenant")
    try:
        # Not first(): to sort the one row costs as much as to find it.
        account = rows.get(pk=account_id, transport=WhatsAppTransport.name, is_active=True)
    except Account.DoesNotExist:
        return None
    try:
        known = settings_of(account)
    except AccountRefused as error:
        with tenant_context(account.tenant):
            note_error_now_and_then(account.pk, error.reason)
        return None
    return (account, known) if isinstance(known, WhatsAppSettings) else None


def _plain(text: str, status: int = 200) -> HttpResponse:
    # Never as HTML: the challenge is whatever the caller wrote.
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
