"""Whether a lead may be written to: what is known, how it is known, and recording it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View

from channels.consent_forms import AddressForm, forms_of, posted_form
from channels.consents import consent_records, known_addresses, proof_in_words, source_in_words
from channels.models import ConsentRecord
from channels.services.consent import record_consent, use_again
from leads.models import Lead
from leads.views.base import LeadMixin

# The last of a lead's records; older ones are in the API.
MOST_RECORDS = 100
DECISIONS = {
    "grant": ConsentRecord.Decision.GRANTED,
    "withdraw": ConsentRecord.Decision.WITHDRAWN,
}


class ConsentView(LeadMixin, View):
    """The lead's addresses with what is known of them, and all that was recorded."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The page; for htmx the few words on the lead's page."""
        if request.htmx:  # type: ignore[attr-defined]
            context = {"lead": self.lead, "addresses": known_addresses(self.lead)}
            return render(request, "channels/_consent_summary.html", context)
        return self._page()

    def _page(self, refused: AddressForm | None = None, status: int = 200) -> HttpResponse:
        context = {"section": "leads", "lead": self.lead, **consent_context(self.lead, refused)}
        return render(self.request, "channels/consents.html", context, status=status)


class RecordConsentView(ConsentView):
    """Record that a lead allows to be written to at an address, or forbids it."""

    http_method_names = ["post"]
    deed = "grant"

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Record it; what is wrong is said in the form."""
        form = posted_form(self.deed, request.POST)
        if not form.is_valid() or not form.run(lambda: self._record(form)):
            return self._page(form, status=422)
        messages.success(request, _("It is recorded."))
        return redirect(consent_url(self.lead))

    def _record(self, form: AddressForm) -> None:
        decision = DECISIONS[self.deed]
        record_consent(self.lead, decision=decision, actor=self.user, **form.cleaned_data)


class UseAgainView(ConsentView):
    """Write again to an address whose messages came back: somebody has seen that it works."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Forget that they came back."""
        form = AddressForm(request.POST)
        if form.is_valid() and form.run(lambda: use_again(self.lead, **form.cleaned_data)):
            messages.success(request, _("Messages go to this address again."))
        for errors in form.errors.values():
            messages.error(request, " ".join(map(str, errors)))
        return redirect(consent_url(self.lead))


def consent_context(lead: Lead, refused: AddressForm | None) -> dict[str, Any]:
    """What channels/consents.html names.

    Args:
        refused: a form with errors, shown in its place.
    """
    rows = []
    for known in known_addresses(lead):
        own = forms_of(known.channel.value, known.address)
        open_form = next((name for name, form in own.items() if _is_of(refused, form)), "")
        if open_form:
            own[open_form], refused = refused, None  # type: ignore[assignment]
        rows.append({"known": known, "open_form": open_form, **own})
    return {
        "rows": rows,
        # For an address that the lead has not any more.
        "lost_form": refused,
        "records": [
            {
                "record": record,
                "source": source_in_words(record.source),
                "proof": proof_in_words(record),
            }
            for record in consent_records(lead)[:MOST_RECORDS]
        ],
    }


def _is_of(refused: AddressForm | None, form: AddressForm) -> bool:
    return refused is not None and refused.auto_id == form.auto_id


def consent_url(lead: Lead) -> str:
    """The address of the page about a lead's consent."""
    return reverse("channels-consent:page", args=[lead.pk])
