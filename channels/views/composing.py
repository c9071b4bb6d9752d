"""Writing to a lead: the composer of the lead's page, which is also a page of its own."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.generic import FormView

from channels.forms import MessageForm
from channels.services import send_message
from leads.views.base import LeadMixin, announce_change, fragment, lead_url


class ComposerView(LeadMixin, FormView[MessageForm]):
    """Send a message to a lead."""

    form_class = MessageForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form offers the channels that reach the lead."""
        return super().get_form_kwargs() | {"lead": self.lead}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What channels/_composer.html names."""
        return super().get_context_data(section="leads", lead=self.lead, **kwargs)

    def get_template_names(self) -> list[str]:
        """A part of the lead's page for htmx."""
        return ["channels/_composer.html" if self.request.htmx else "channels/composer.html"]

    def form_valid(self, form: MessageForm) -> HttpResponse:
        """Queue it; the timeline shows what becomes of it."""
        given = {"author": self.user, **form.cleaned_data}
        if not form.run(lambda: send_message(self.lead, **given)):
            return self.form_invalid(form)
        messages.success(self.request, _("The message is on its way."))
        if not self.request.htmx:
            return redirect(lead_url(self.lead))
        context = {"lead": self.lead, "form": MessageForm(lead=self.lead)}
        return announce_change(fragment(self.request, "channels/_composer.html", context))

    def form_invalid(self, form: MessageForm) -> HttpResponse:
        """The form with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)
