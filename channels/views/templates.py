"""The settings of templates: they are written here, and read as a lead would read them."""

from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.generic import FormView, TemplateView, View

from channels.models import Channel, MessageTemplate
from channels.services.templates import delete_template, save_template
from channels.template_forms import PreviewForm, TemplateForm
from channels.templating import Filled, Malformed, fill, numbered
from channels.variables import VARIABLES, values_for
from leads.models import Lead
from leads.queries import leads
from salesflow.accounts.models import LANGUAGES, User
from salesflow.accounts.paging import Order, Page
from salesflow.accounts.views import LeadingRoleMixin

PAGE_SIZE = 50
BY_NAME = Order(("name", "language", "id"))
# So many leads, the last changed, are offered to try a template on.
MOST_LEADS = 25
LINKS = ("after", "before")


class TemplateListView(LeadingRoleMixin, TemplateView):
    """All templates by name; narrowed by channel and language."""

    template_name = "channels/settings/templates.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What channels/settings/templates.html names."""
        query = self.request.GET
        chosen = {
            name: query[name]
            for name, known in (
                ("channel", Channel.values),
                ("language", [c for c, _n in LANGUAGES]),
            )
            if query.get(name) in known
        }
        rows = MessageTemplate.objects.filter(**chosen)
        links = {name: query.get(name, "") for name in LINKS}
        page = Page.read_or_first(rows, BY_NAME, size=PAGE_SIZE, **links)
        return super().get_context_data(
            section="settings",
            tab="templates",
            templates=page.rows,
            chosen=chosen,
            channels=Channel.choices,
            languages=LANGUAGES,
            previous_url=_page_url(chosen, "before", page.before),
            next_url=_page_url(chosen, "after", page.after),
            **kwargs,
        )


def _page_url(chosen: dict[str, str], name: str, key: str | None) -> str | None:
    return f"?{urlencode({**chosen, name: key})}" if key else None


class TemplateFormView(LeadingRoleMixin, FormView[TemplateForm]):
    """Write a template, with what it comes to beside it."""

    form_class = TemplateForm
    template_name = "channels/settings/template_form.html"

    @property
    def template(self) -> MessageTemplate:
        """What is written."""
        raise NotImplementedError

    @property
    def begins_with(self) -> MessageTemplate | None:
        """What the form begins with."""
        return self.template

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form begins with the template as it is."""
        return super().get_form_kwargs() | {"template": self.begins_with}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What channels/settings/template_form.html names."""
        context = super().get_context_data(section="settings", **kwargs)
        form, chosen = context["form"], self.request.GET.get("lead", "")
        offered = list(leads().order_by("-updated_at", "-id")[:MOST_LEADS])
        lead = next((lead for lead in offered if str(lead.pk) == chosen), None)
        lead = lead or next(iter(offered), None)
        subject, body = (form[name].value() or "" for name in ("subject", "body"))
        return context | {
            "template": self.begins_with,
            "variables": VARIABLES,
            "leads": offered,
            **preview_of(subject, body, lead, self.request.user),
        }

    def form_valid(self, form: TemplateForm) -> HttpResponse:
        """Save it."""
        if not form.run(lambda: save_template(self.template, **form.given)):
            return self.form_invalid(form)
        messages.success(self.request, _("%(name)s was saved.") % {"name": self.template.name})
        return redirect("channels-settings:templates")

    def form_invalid(self, form: TemplateForm) -> HttpResponse:
        """The form with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)


class CreateTemplateView(TemplateFormView):
    """A new template; one in another language begins with what it translates."""

    @cached_property
    def template(self) -> MessageTemplate:
        """A new one."""
        return MessageTemplate()

    @cached_property
    def begins_with(self) -> MessageTemplate | None:
        """What is to be translated."""
        try:
            wanted = UUID(self.request.GET.get("copy", ""))
        except ValueError:
            return None
        original: MessageTemplate | None = MessageTemplate.objects.filter(pk=wanted).first()
        if original:
            others = [code for code, _name in LANGUAGES if code != original.language]
            original.language = others[0]
            original.vendor_status = ""
        return original

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """It has no page of its own yet."""
        return super().get_context_data(**kwargs) | {"template": None}


class TemplateMixin(LeadingRoleMixin):
    """A page about one template of the tenant; anything else is not found."""

    kwargs: dict[str, Any]

    @cached_property
    def template(self) -> MessageTemplate:
        """The template that the address names."""
        rows = MessageTemplate.objects.all()
        found: MessageTemplate = get_object_or_404(rows, pk=self.kwargs["template_id"])
        return found


class EditTemplateView(TemplateMixin, TemplateFormView):
    """One template."""


class DeleteTemplateView(TemplateMixin, View):
    """Delete a template."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Delete it and show the others."""
        delete_template(self.template)
        messages.success(request, _("%(name)s was deleted.") % {"name": self.template.name})
        return redirect("channels-settings:templates")


class PreviewView(LeadingRoleMixin, View):
    """What a text comes to for a lead, while it is typed."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The preview anew."""
        form = PreviewForm(request.POST)
        form.is_valid()
        given = {name: form.cleaned_data.get(name) for name in form.fields}
        lead = Lead.objects.filter(pk=given["lead"]).first() if given["lead"] else None
        texts = given["subject"] or "", given["body"] or ""
        context = preview_of(*texts, lead, request.user)
        return render(request, "channels/settings/_preview.html", context)


def preview_of(subject: str, body: str, lead: Lead | None, user: Any) -> dict[str, Any]:
    """What channels/settings/_preview.html names."""
    author = user if isinstance(user, User) else None
    values = values_for(lead, author) if lead else {}
    try:
        filled = [fill(text, values) for text in (subject, body)]
        approval = numbered(body)
    except Malformed as error:
        return {"preview_lead": lead, "problem": error.reason}
    return {
        "preview_lead": lead,
        "preview_subject": filled[0].pieces,
        "preview_body": filled[1].pieces,
        "missing": _missing(filled),
        "approval": approval,
    }


def _missing(filled: list[Filled]) -> list[str]:
    return list(dict.fromkeys(name for each in filled for name in each.missing))
