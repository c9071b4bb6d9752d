"""The list of sequences, who is in them, and what came of them."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import FormView, TemplateView, View

from channels.sequences import models
from channels.sequences.documents import Document
from channels.sequences.forms import NameForm
from channels.sequences.models import Enrolment, Execution
from channels.sequences.pausing import pause_all
from channels.sequences.previewing import Unpreviewable, what_is_to_come
from channels.sequences.queries import (
    BY_NAME,
    LAST_ENROLLED,
    blocked_enrolments,
    bulks_of,
    enrolments,
    people_in,
    sequences,
)
from channels.sequences.statistics import statistics_of
from channels.sequences.versions import create_sequence, published
from channels.sequences.views.base import SECTION, SequenceMixin
from channels.sequences.views.figures import rows_of
from channels.sequences.views.plans_shown import shown_done, shown_plan
from channels.sequences.words import TONES, ending_in_words, standing_in_words
from leads.views.base import fragment
from salesflow.accounts.paging import Order, Page
from salesflow.accounts.views import LEADING, LeadingRoleMixin, TenantRequiredMixin

PAGE_SIZE = 50
LINKS = ("after", "before")
STATE_TONES = {
    Enrolment.State.ACTIVE: "good",
    Enrolment.State.PAUSED: "warn",
    Enrolment.State.FINISHED: "",
}


def paged(request: HttpRequest, rows: Any, order: Order, **chosen: str) -> dict[str, Any]:
    """A page of rows, and the addresses of those around it.

    Args:
        chosen: what narrows the list, to be kept in the addresses.
    """
    links = {name: request.GET.get(name, "") for name in LINKS}
    page: Page[Any] = Page.read_or_first(rows, order, size=PAGE_SIZE, **links)
    keys = {"previous_url": ("before", page.before), "next_url": ("after", page.after)}
    urls = {
        name: f"?{urlencode({**chosen, link: key})}" if key else None
        for name, (link, key) in keys.items()
    }
    return {"rows": page.rows, **urls}


class SequenceListView(TenantRequiredMixin, TemplateView):
    """All sequences by name, with how many are in them; narrowed by their state."""

    template_name = "sequences/list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What sequences/list.html names."""
        states = models.Sequence.State
        wanted = self.request.GET.get("state", "")
        chosen = wanted if wanted in states.values else ""
        rows = sequences()
        rows = rows.filter(state=chosen) if chosen else rows.exclude(state=states.ARCHIVED)
        page = paged(self.request, rows, BY_NAME, **({"state": chosen} if chosen else {}))
        people = people_in(page["rows"])
        shown = [
            {"sequence": row, "people": people[row.pk].shown, "tone": TONES[states(row.state)]}
            for row in page["rows"]
        ]
        return super().get_context_data(
            section=SECTION,
            chosen=chosen,
            states=states.choices,
            may_build=self.request.membership.role in LEADING,  # type: ignore[attr-defined]
            can_hold=any(row.state == states.ACTIVE for row in page["rows"]),
            **{**page, "rows": shown},
            **kwargs,
        )


class CreateSequenceView(LeadingRoleMixin, FormView[NameForm]):
    """A new sequence: it needs no more than a name to begin with."""

    form_class = NameForm
    template_name = "sequences/create.html"
    extra_context = {"section": SECTION}

    def form_valid(self, form: NameForm) -> HttpResponse:
        """Make it, and go on with its steps."""
        made: list[models.Sequence] = []
        name, owner = form.cleaned_data["name"], self.request.user
        if not form.run(lambda: made.append(create_sequence(name, owner=owner))):  # type: ignore[arg-type]
            return self.form_invalid(form)
        return redirect("sequences:detail", made[0].pk)

    def form_invalid(self, form: NameForm) -> HttpResponse:
        """The form with its errors."""
        return self.render_to_response(self.get_context_data(form=form), status=422)


class HoldView(LeadingRoleMixin, View):
    """Hold every sequence at once."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Pause them, and say how many were running."""
        held = pause_all(actor=request.user)  # type: ignore[arg-type]
        text = ngettext("%(n)s sequence is held.", "%(n)s sequences are held.", held)
        messages.success(request, text % {"n": held})
        return redirect("sequences:list")


class AttentionView(TenantRequiredMixin, TemplateView):
    """Who waits for somebody to remove an obstacle, in all sequences."""

    template_name = "sequences/attention.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What sequences/attention.html names."""
        page = paged(self.request, blocked_enrolments(), LAST_ENROLLED)
        rows = shown_rows(page["rows"])
        return super().get_context_data(section=SECTION, **{**page, "rows": rows}, **kwargs)


class PeopleView(SequenceMixin, View):
    """Who is or was in a sequence, the last one first; narrowed by how they are."""

    tab = "people"

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The page, or its table alone for htmx."""
        wanted, states = request.GET.get("state", ""), Enrolment.State
        chosen = wanted if wanted in states.values else ""
        rows = enrolments().filter(sequence=self.sequence)
        if chosen:
            rows = rows.filter(state=chosen)
        page = paged(request, rows, LAST_ENROLLED, **({"state": chosen} if chosen else {}))
        context = {
            **page,
            "rows": shown_rows(page["rows"]),
            "chosen": chosen,
            "states": states.choices,
            "bulks": bulks_of(self.sequence),
        }
        return self.page("sequences/people.html", **context)


class EnrolmentView(TenantRequiredMixin, View):
    """One lead's way through a sequence: what was done, and what is to come."""

    def get(self, request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
        """The page."""
        row = enrolments().filter(pk=enrolment_id).first()
        if row is None:
            raise Http404(_("There is no such enrolment."))
        document = published(row.version_id).document
        done = Execution.objects.filter(enrolment=row).order_by("executed_at", "pk")
        [shown] = shown_rows([row])
        context = {"section": SECTION, **shown, "done": shown_done(done, document)}
        if row.state != Enrolment.State.FINISHED:
            context |= self._to_come(row, document)
        return render(request, "sequences/enrolment.html", context)

    def _to_come(self, row: Enrolment, document: Document) -> dict[str, Any]:
        try:
            return {"planned": shown_plan(what_is_to_come(row), document)}
        except Unpreviewable as reason:
            return {"problem": reason.reason}


class FiguresView(SequenceMixin, View):
    """What came of a sequence, step by step."""

    tab = "figures"

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The page."""
        found = statistics_of(self.sequence)
        endings = [(ending_in_words(reason), count) for reason, count in found.finished.items()]
        context: dict[str, Any] = {"figures": found, "rows": rows_of(found), "endings": endings}
        return self.page("sequences/figures.html", **context)


def shown_rows(rows: list[Enrolment]) -> list[dict[str, Any]]:
    """What sequences/_people.html names of each."""
    return [
        {
            "enrolment": row,
            "tone": STATE_TONES[Enrolment.State(row.state)],
            "standing": standing_in_words(row),
            "is_blocked": row.waiting_for == "person",
        }
        for row in rows
    ]


def page_of_lead(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """The sequences of a lead: a part of its page for htmx, else a page of its own."""
    given = {"section": "leads", **context}
    if not request.htmx:  # type: ignore[attr-defined]
        return render(request, "sequences/lead.html", given, status=status)
    response = fragment(request, "sequences/_lead.html", given)
    response.status_code = status
    return response
