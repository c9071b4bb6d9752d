"""The lead list, the board, and the page of a lead."""

from collections import Counter
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import TemplateView, View
from django_htmx.http import push_url

from leads.contact_points import readable
from leads.forms import LeadFilterForm, NoteForm
from leads.models import Lead, Pipeline
from leads.queries import (
    MOST_SHOWN,
    board_columns,
    count_capped,
    filter_leads,
    lead_order,
    leads,
    meetings_of,
    pipelines,
    search_leads,
    sortable,
    tasks_of,
)
from leads.timeline import timeline_of
from leads.views.base import LeadMixin, fragment, open_stages, shows_trouble
from salesflow.accounts.paging import Page
from salesflow.accounts.views import TenantRequiredMixin

PAGE_SIZE = 50
CARDS_A_COLUMN = 25
LINKS = ("after", "before")


class LeadListView(TenantRequiredMixin, TemplateView):
    """All leads: searched, filtered, sorted, page by page; all of it in the address."""

    template_name = "leads/lead_list.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Let the browser's address say the filters in force, without the empty ones."""
        response = super().get(request, *args, **kwargs)
        if request.htmx:  # type: ignore[attr-defined]
            links = {name: request.GET.get(name) for name in LINKS}
            push_url(response, request.path + _url(request.GET, **links))
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What leads/lead_list.html names."""
        query = self.request.GET
        form = LeadFilterForm(query, user=self.request.user)  # type: ignore[arg-type]
        form.is_valid()
        rows = filter_leads(search_leads(leads(), form.cleaned_data.get("q", "")), **form.filters)
        sort, order = lead_order(query.get("sort", ""))
        links = {name: query.get(name, "") for name in LINKS}
        page = Page.read_or_first(sortable(rows), order, size=PAGE_SIZE, **links)
        return super().get_context_data(
            section="leads",
            filter_form=form,
            active_filters=active_filters(form, query),
            clear_url=self.request.path,
            sort=sort,
            leads=page.rows,
            previous_url=_page_url(query, before=page.before),
            next_url=_page_url(query, after=page.after),
            total_label=_total(count_capped(rows)),
            has_leads=bool(page.rows) or Lead.objects.exists(),
            **kwargs,
        )


def active_filters(form: LeadFilterForm, query: QueryDict) -> list[dict[str, Any]]:
    """The filters in force, each with the address of the list without it."""
    return [
        {
            "label": form.fields[name].label,
            "value": form.shown(name),
            "url": _url(query, **{name: None}),
        }
        for name, value in form.cleaned_data.items()
        if value
    ]


def _url(query: QueryDict, **changes: str | None) -> str:
    """The address of the first page of the list, with some parameters changed or dropped."""
    kept = {name: value for name, value in query.items() if name not in LINKS}
    wanted = {name: value for name, value in (kept | changes).items() if value}
    return "?" + urlencode(wanted)


def _page_url(query: QueryDict, **link: str | None) -> str | None:
    return _url(query, **link) if any(link.values()) else None


def _total(count: str) -> str:
    if count.isdigit():
        return ngettext("%(count)d lead", "%(count)d leads", int(count)) % {"count": int(count)}
    return _("more than %(count)s leads") % {"count": count.rstrip("+")}


class BoardView(TenantRequiredMixin, TemplateView):
    """A pipeline as columns."""

    template_name = "leads/board.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What leads/board.html names."""
        return super().get_context_data(
            section="board", **board_context(self.request.GET.get("pipeline", "")), **kwargs
        )


def board_context(pipeline_id: str = "") -> dict[str, Any]:
    """The pipelines, the one that is shown (the default one unless told), and its columns."""
    ways = list(pipelines())
    chosen = [way for way in ways if str(way.pk) == pipeline_id]
    pipeline: Pipeline = (chosen or [way for way in ways if way.is_default] or ways)[0]
    columns = board_columns(list(pipeline.stages.all()), size=CARDS_A_COLUMN)
    for column in columns:
        if len(column.leads) == CARDS_A_COLUMN:
            column.more_url = f"{reverse('leads:list')}?stage={column.stage.pk}"
    return {"pipelines": ways, "pipeline": pipeline, "columns": columns}


def board(request: HttpRequest, pipeline_id: str) -> HttpResponse:
    """The columns anew, as an answer to htmx."""
    return fragment(request, "leads/_board.html", board_context(pipeline_id))


class LeadDetailView(LeadMixin, TemplateView):
    """One lead, with what happened to it."""

    template_name = "leads/lead_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What leads/lead_detail.html names."""
        lead = self.lead
        return super().get_context_data(
            section="leads",
            lead=lead,
            stages=open_stages(lead),
            contact_points=contact_points_of(lead),
            custom_facts=[
                {"label": name, "value": value} for name, value in lead.custom_fields.items()
            ],
            timeline=timeline_of(lead),
            show_trouble=shows_trouble(self.request),
            note_form=NoteForm(),
            tasks=tasks_of(lead),
            meetings=meetings_of(lead.pk)[:MOST_SHOWN],
            back_url=list_as_it_was_left(self.request),
            **kwargs,
        )


def contact_points_of(lead: Lead) -> list[dict[str, Any]]:
    """How to reach the lead, as people read it; the primary one is marked where there are more."""
    points = sorted(lead.contact_points.all(), key=lambda point: not point.is_primary)
    number = Counter(point.kind for point in points)
    return [
        {
            "kind": point.kind,
            "value": point.value,
            "shown": readable(point.value),
            "is_preferred": point.is_primary and number[point.kind] > 1,
        }
        for point in points
    ]


def list_as_it_was_left(request: HttpRequest) -> str:
    """The address of the list with its filters, if that is where somebody comes from."""
    came_from = urlsplit(request.headers.get("Referer", ""))
    is_list = came_from.netloc == request.get_host() and came_from.path == reverse("leads:list")
    return f"{came_from.path}?{came_from.query}" if is_list else ""


class TimelineView(LeadMixin, View):
    """The timeline anew, or its next page."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """A part for htmx, a page for a browser without scripts."""
        after = request.GET.get("after", "")
        context = {
            "section": "leads",
            "lead": self.lead,
            "timeline": timeline_of(self.lead, after=after),
            "show_trouble": shows_trouble(request),
        }
        if not request.htmx:  # type: ignore[attr-defined]
            return render(request, "leads/timeline_page.html", context)
        part = "leads/_timeline_items.html" if after else "leads/_timeline.html"
        return render(request, part, context)
