"""Pages that change leads. Each asks its service; what the service refuses is shown in the form."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget

from leads import services
from leads.forms import (
    AssignForm,
    CreateLeadForm,
    DeleteForm,
    EditLeadForm,
    LoseForm,
    MoveForm,
    NoteForm,
    ServiceForm,
    WinForm,
)
from leads.models import Lead
from leads.queries import lead_with_stages
from leads.timeline import field_label
from leads.views.base import LeadMixin, announce_change, changed_lead, lead_url
from leads.views.reading import board
from salesflow.accounts.views import TenantRequiredMixin


class CreateLeadView(TenantRequiredMixin, FormView[CreateLeadForm]):
    """A new lead."""

    form_class = CreateLeadForm
    template_name = "leads/lead_form.html"
    extra_context = {"section": "leads", "lead": None}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form proposes whoever fills it in as the owner."""
        return super().get_form_kwargs() | {"user": self.request.user}

    def form_valid(self, form: CreateLeadForm) -> HttpResponse:
        """Create it and show it."""
        given = form.cleaned_data
        try:
            lead = services.create_lead(
                owner=given["owner"], stage=given["stage"], **form.lead_fields
            )
        except ValidationError as error:
            form.take_errors(error)
            return self.form_invalid(form)
        messages.success(self.request, _("%(name)s was created.") % {"name": lead.name})
        return redirect(lead_url(lead))

    def form_invalid(self, form: CreateLeadForm) -> HttpResponse:
        """The form with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)


class EditLeadView(LeadMixin, FormView[EditLeadForm]):
    """What is known about a lead. Whoever saves a form that has become stale is told so."""

    form_class = EditLeadForm
    template_name = "leads/lead_form.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form begins with the lead as it is."""
        return super().get_form_kwargs() | {"lead": self.lead}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What leads/lead_form.html names."""
        return super().get_context_data(section="leads", lead=self.lead, **kwargs)

    def form_valid(self, form: EditLeadForm) -> HttpResponse:
        """Save it and show it."""
        seen_at = form.cleaned_data["seen_at"]
        try:
            lead = services.edit_lead(self.lead, seen_at=seen_at, **form.lead_fields)
        except ValidationError as error:
            if getattr(error, "code", None) == "stale":
                self._tell_stale(form)
            else:
                form.take_errors(error)
            return self.form_invalid(form)
        messages.success(self.request, _("%(name)s was saved.") % {"name": lead.name})
        return redirect(lead_url(lead))

    def form_invalid(self, form: EditLeadForm) -> HttpResponse:
        """The form with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def _tell_stale(self, form: EditLeadForm) -> None:
        """Say what is saved now where it differs; saving again overwrites it."""
        lead = lead_with_stages(self.lead.pk)
        form.show_seen(lead)
        form.add_error(
            None,
            _(
                "Somebody changed this lead while you were editing it. Nothing of yours was saved "
                "yet: compare, then save again."
            ),
        )
        now = EditLeadForm(lead=lead)
        for name in form.lead_fields:
            if form.lead_fields[name] != getattr(lead, name):
                saved = now[name].value()
                text = _("%(field)s is now “%(value)s”.")
                form.add_error(None, text % {"field": field_label(name), "value": saved or "–"})


class LeadChangeView(LeadMixin, FormView[Any]):
    """A change that a dialog asks for, or a button makes at once.

    Opened by htmx it is a dialog, without scripts a page of its own.
    """

    dialog = ""
    toast: Any = ""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Each of these forms knows its lead."""
        return super().get_form_kwargs() | {"lead": self.lead}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What leads/dialog_page.html names."""
        return super().get_context_data(
            section="leads", lead=self.lead, dialog=self.dialog, **kwargs
        )

    def get_template_names(self) -> list[str]:
        """The dialog, alone for htmx."""
        return [self.dialog if self.request.htmx else "leads/dialog_page.html"]

    def form_valid(self, form: ServiceForm) -> HttpResponse:
        """Let the service do it."""
        if not form.run(lambda: self.change(form)):
            return self.form_invalid(form)
        return self.answer()

    def form_invalid(self, form: Any) -> HttpResponse:
        """The dialog with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def change(self, form: Any) -> None:
        """Call the service."""
        raise NotImplementedError

    def answer(self) -> HttpResponse:
        """What changed, on the page that asked for it."""
        toast = str(self.toast) % {"name": self.lead.name}
        htmx, pipeline = self.request.htmx, str(self.lead.stage.pipeline_id)
        if not htmx:
            messages.success(self.request, toast)
            on_board = self.request.POST.get("board")
            return redirect(_board_url(pipeline) if on_board else lead_url(self.lead))
        if (htmx.current_url_abs_path or "").partition("?")[0] == reverse("leads:board"):
            messages.success(self.request, toast)
            response = board(self.request, pipeline)
            return announce_change(reswap(retarget(response, "#board"), "outerHTML"))
        return changed_lead(self.request, self.lead, toast)


def _board_url(pipeline: str) -> str:
    return f"{reverse('leads:board')}?pipeline={pipeline}"


class MoveView(LeadChangeView):
    """Another stage, chosen on the lead's page or the board."""

    form_class = MoveForm
    http_method_names = ["post"]
    toast = gettext_lazy("%(name)s was moved.")

    def change(self, form: MoveForm) -> None:
        services.move_lead(self.lead, form.cleaned_data["stage"])

    def form_invalid(self, form: MoveForm) -> HttpResponse:
        """Say what is wrong with the button that was pressed."""
        return refused(self.request, self.lead, form)


class WinView(LeadChangeView):
    """The deal is won."""

    form_class = WinForm
    dialog = "leads/_win_dialog.html"
    toast = gettext_lazy("%(name)s was won. Well done!")

    def change(self, form: WinForm) -> None:
        services.win_lead(self.lead)


class LoseView(LeadChangeView):
    """The deal is lost, for a reason."""

    form_class = LoseForm
    dialog = "leads/_lose_dialog.html"
    toast = gettext_lazy("%(name)s was marked as lost.")

    def change(self, form: LoseForm) -> None:
        services.lose_lead(self.lead, reason=form.cleaned_data["lost_reason"])


class AssignView(LeadChangeView):
    """Another owner."""

    form_class = AssignForm
    dialog = "leads/_assign_dialog.html"
    toast = gettext_lazy("%(name)s has another owner.")

    def change(self, form: AssignForm) -> None:
        services.assign_lead(self.lead, form.cleaned_data["owner"])


class DeleteView(LeadChangeView):
    """The lead goes."""

    form_class = DeleteForm
    dialog = "leads/_delete_dialog.html"

    def change(self, form: DeleteForm) -> None:
        services.delete_lead(self.lead)

    def answer(self) -> HttpResponse:
        """The list, since there is no page of it any more."""
        messages.success(self.request, _("%(name)s was deleted.") % {"name": self.lead.name})
        if self.request.htmx:
            return HttpResponseClientRedirect(reverse("leads:list"))
        return redirect("leads:list")


class NoteView(LeadChangeView):
    """A note on a lead."""

    form_class = NoteForm
    http_method_names = ["post"]

    def change(self, form: NoteForm) -> None:
        services.add_note(self.lead, form.cleaned_data["body"], author=self.user)

    def answer(self) -> HttpResponse:
        """An empty form; the timeline shows the note."""
        if not self.request.htmx:
            return redirect(lead_url(self.lead))
        return announce_change(self._form(NoteForm()))

    def form_invalid(self, form: NoteForm) -> HttpResponse:
        """The form with its errors."""
        if not self.request.htmx:
            return refused(self.request, self.lead, form)
        response = self._form(form)
        response.status_code = 422
        return response

    def _form(self, form: NoteForm) -> HttpResponse:
        context = {"lead": self.lead, "note_form": form}
        return render(self.request, "leads/_note_form.html", context)


def refused(request: HttpRequest, lead: Lead, form: forms.Form) -> HttpResponse:
    """Say what is wrong with what a button sent: there is no form to show it in."""
    for errors in form.errors.values():
        messages.error(request, " ".join(map(str, errors)))
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(lead_url(lead))
    return reswap(render(request, "components/toasts.html", {"oob": True}, status=422), "none")
