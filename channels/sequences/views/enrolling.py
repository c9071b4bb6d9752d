"""Taking leads into a sequence on the web, one or many, and what is done with who is in one."""

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import View

from channels.sequences.bulk import begin_bulk, cancel_bulk
from channels.sequences.by_hand import let_wait, take_out
from channels.sequences.enrolling import (
    EnrolReport,
    Source,
    enrol_leads,
    published_version,
    resume_enrolment,
)
from channels.sequences.forms import EnrolForm, EnrolLeadForm
from channels.sequences.models import BulkEnrolment, Enrolment
from channels.sequences.previewing import Survey, Unpreviewable, survey
from channels.sequences.queries import enrolments, enrolments_of, sequences_to_enrol_in
from channels.sequences.views.base import SequenceMixin, refused_in_words
from channels.sequences.views.reading import page_of_lead, shown_rows
from channels.sequences.words import refusal_in_words
from leads.forms import LeadFilterForm
from leads.models import Lead
from leads.queries import count_capped, filter_leads, leads, search_leads
from leads.views.base import LeadMixin, announce_change
from salesflow.accounts.views import TenantRequiredMixin

# So many come in at once; more are taken in by a worker, and so many at most.
AT_ONCE, MOST = 200, 50_000
# Of the last sequences of a lead, so many are shown on its page.
MOST_SHOWN = 10


class EnrolView(SequenceMixin, View):
    """Choose leads as in their list, see what would come of it, and take them in."""

    tab = "people"

    @cached_property
    def chosen(self) -> QuerySet[Lead]:
        """The leads that the filters leave over; nobody as long as none is set."""
        form, rows = self.filter_form, leads()
        form.is_valid()
        filters, text = form.filters, form.cleaned_data.get("q", "")
        if not filters and not text:
            return rows.none()
        rows = filter_leads(rows, **filters)
        return search_leads(rows, text) if text else rows

    @cached_property
    def filter_form(self) -> LeadFilterForm:
        """The filters of the list of leads."""
        given = self.request.POST if self.request.method == "POST" else self.request.GET
        return LeadFilterForm(given, user=self.user)

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The page."""
        return self._show(EnrolForm())

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Take them in."""
        form = EnrolForm(request.POST)
        ids = list(self.chosen.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
        if not ids:
            form.add_error(None, _("No lead is chosen."))
        elif len(ids) > MOST:
            form.add_error(None, _("These are too many at once: 50,000 at most."))
        if not form.is_valid() or not form.run(lambda: self._take_in(form, ids)):
            return self._show(form, status=422)
        return redirect("sequences:people", self.sequence.pk)

    def _take_in(self, form: EnrolForm, ids: list[Any]) -> None:
        given = {**form.cleaned_data, "actor": self.user}
        if len(ids) > AT_ONCE:
            begin_bulk(ids, self.sequence, **given)
            text = _("They come in one after the other: this page tells how far it is.")
            messages.success(self.request, text)
            return
        rows = [Lead(pk=lead_id) for lead_id in ids]
        tell(self.request, enrol_leads(rows, self.sequence, source=Source.BULK, **given))

    def _show(self, form: EnrolForm, status: int = 200) -> HttpResponse:
        found, problem = self._survey()
        return self.page(
            "sequences/enrol.html",
            status=status,
            form=form,
            filter_form=self.filter_form,
            total=count_capped(self.chosen),
            survey=found,
            refused=[
                (count, refusal_in_words(refusal, count))
                for refusal, count in (found.refused.items() if found else ())
            ],
            problem=problem,
        )

    def _survey(self) -> tuple[Survey | None, str]:
        """What would come of it, of the first so many; or why nobody can come in."""
        try:
            version = published_version(self.sequence)
            rows = list(self.chosen.order_by("pk")[:AT_ONCE])
            return (survey(rows, version) if rows else None), ""
        except ValidationError as error:
            return None, " ".join(error.messages)
        except Unpreviewable as reason:
            return None, str(reason.reason)


class CancelBulkView(SequenceMixin, View):
    """Take nobody in any more of those who were chosen together."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Do it."""
        rows = BulkEnrolment.objects.filter(sequence=self.sequence, pk=kwargs["bulk_id"])
        bulk = rows.first()
        if bulk is None:
            raise Http404(_("There is no such bulk enrolment."))
        if cancel_bulk(bulk):
            messages.success(request, _("No more of them come in."))
        return redirect("sequences:people", self.sequence.pk)


class LeadSequencesView(LeadMixin, View):
    """In which sequences a lead is or was, and another one for it."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The part of the lead's page, or a page of its own."""
        return self._show(self._form())

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Let the lead come into a sequence."""
        form = self._form(request.POST)
        if not form.is_valid() or not form.run(lambda: self._enrol(form)):
            return self._show(form, status=422)
        if not self.request.htmx:
            return redirect("sequences:lead", self.lead.pk)
        return announce_change(self._show(self._form()))

    def _form(self, data: Any = None) -> EnrolLeadForm:
        rows = enrolments_of(self.lead).exclude(state=Enrolment.State.FINISHED)
        under_way = set(rows.values_list("sequence_id", flat=True))
        return EnrolLeadForm(data, known=sequences_to_enrol_in(), under_way=under_way)

    def _enrol(self, form: EnrolLeadForm) -> None:
        sequence = form.cleaned_data["sequence"]
        report = enrol_leads([self.lead], sequence, source=Source.HAND, actor=self.user)
        for refusal in report.refused.values():
            told = {"name": self.lead.name, "why": refusal.label}
            raise ValidationError({"sequence": _("%(name)s %(why)s.") % told})
        tell(self.request, report)

    def _show(self, form: EnrolLeadForm, status: int = 200) -> HttpResponse:
        rows = shown_rows(list(enrolments_of(self.lead)[:MOST_SHOWN]))
        context = {"lead": self.lead, "rows": rows, "form": form}
        return page_of_lead(self.request, context, status)


class EnrolmentVerbView(TenantRequiredMixin, View):
    """Let somebody wait, go on, or leave a sequence."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, enrolment_id: Any, verb: str) -> HttpResponse:
        """Do it, and show where it was asked for."""
        row = enrolments().filter(pk=enrolment_id).first()
        if row is None or verb not in ("pause", "resume", "stop"):
            raise Http404(_("There is no such enrolment."))
        try:
            _do(row, verb)
        except ValidationError as error:
            refused_in_words(request, error)
        except Enrolment.DoesNotExist as error:
            raise Http404(_("There is no such enrolment.")) from error
        return redirect(_came_from(request) or reverse("sequences:people", args=[row.sequence_id]))


def _do(row: Enrolment, verb: str) -> None:
    if verb == "stop":
        take_out([row.pk])
    elif verb == "pause":
        let_wait(row)
    else:
        resume_enrolment(row)


def _came_from(request: HttpRequest) -> str:
    """The page on which a button was pressed, if it is one of ours."""
    referer = request.headers.get("Referer", "")
    hosts = {request.get_host()}
    if not url_has_allowed_host_and_scheme(referer, hosts, request.is_secure()):
        return ""
    there = urlsplit(referer)
    return f"{there.path}?{there.query}" if there.query else there.path


def tell(request: HttpRequest, report: EnrolReport) -> None:
    """Say how many came in, and how many did not."""
    came, stayed = len(report.enrolled), len(report.refused)
    text = ngettext("%(n)s lead came in.", "%(n)s leads came in.", came) % {"n": came}
    if stayed:
        left = ngettext("%(n)s did not.", "%(n)s did not.", stayed) % {"n": stayed}
        messages.warning(request, f"{text} {left}")
    else:
        messages.success(request, text)
