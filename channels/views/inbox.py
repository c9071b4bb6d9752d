"""The team's inbox: its list, an open conversation beside it, and what has changed since."""

from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View
from django_htmx.http import push_url

from channels.forms import InboxForm
from channels.inbox import (
    VIEWS,
    digest,
    is_quiet,
    open_counts,
    page_of,
    rows_of,
    unread_count,
    version_of,
)
from channels.models import Channel, Conversation
from channels.services.conversations import mark_conversation_read
from channels.snoozing import snooze_choices
from channels.threads import Thread, pulse_of, thread_of
from channels.views.composing import INBOX, LEAD, thread_context
from leads.mentions import mentions_of, see_mentions
from leads.models import Lead
from leads.queries import lead_with_stages
from salesflow.accounts.models import User
from salesflow.accounts.queries import team_members
from salesflow.accounts.views import TenantRequiredMixin

MENTIONS = "mentions"
MOST_MENTIONS = 50
# What the address of the list says; the rest of a query is about one page or one answer.
FILTERS = ("view", "state", "channel", "assignee", "unread", "q")
SINCE = "X-Inbox-Since"


class InboxMixin(TenantRequiredMixin):
    """A page with the list."""

    request: Any

    @property
    def user(self) -> User:
        """Whoever is logged in."""
        return self.request.user  # type: ignore[no-any-return]

    @cached_property
    def form(self) -> InboxForm:
        """The filters in force."""
        return InboxForm(self.request.GET, team=self.team)

    @cached_property
    def team(self) -> list[User]:
        """To whom conversations may be given."""
        return list(team_members())

    @property
    def query(self) -> str:
        """The filters in force as they stand in an address, with the question mark."""
        given = {name: self.request.GET.get(name, "") for name in FILTERS}
        said = urlencode({name: value for name, value in given.items() if value})
        return f"?{said}" if said else ""

    def list_context(self, selected: Any = None) -> dict[str, Any]:
        """What channels/inbox/_list.html names."""
        wanted, query = self.form.wanted, self.request.GET
        keys = {name: query.get(name, "") for name in ("after", "before")}
        asked_at = timezone.now()
        page = page_of(wanted, self.user, **keys)
        rows = rows_of(page.rows, self.user)
        return {
            "rows": rows,
            "wanted": wanted,
            "filters": self.form,
            "query": self.query,
            "selected": selected,
            "since": asked_at.isoformat(),
            "newer_url": self._page_url(before=page.before),
            "older_url": self._page_url(after=page.after),
        }

    def side_context(self, selected: Any = None) -> dict[str, Any]:
        """What the list, the tabs above it and the figure in the navigation name.

        Each of them may change alone: what comes in for a colleague counts in no list but theirs.
        """
        context = self.list_context(selected) | self.tabs_context()
        unread = context["inbox_unread"] = unread_count(self.user)
        figures = [tab["count"] for tab in context["tabs"]]
        rows = version_of(context["rows"])
        context["list_version"] = digest(rows, unread, context["has_mentions"], *figures)
        return context

    def tabs_context(self) -> dict[str, Any]:
        """What channels/inbox/_tabs.html names."""
        counts = open_counts(self.user)
        mentions = mentions_of(self.user).filter(seen_at=None)[:1].exists()
        return {
            "tabs": [
                {"view": view, "label": label, "count": counts[view], "url": self._tab_url(view)}
                for view, label in VIEWS.items()
            ],
            "mentions_url": self._tab_url(MENTIONS),
            "has_mentions": mentions,
            "view": self.request.GET.get("view") or "all",
        }

    def _tab_url(self, view: str) -> str:
        return f"{reverse('inbox:list')}?{urlencode({'view': view})}"

    def _page_url(self, **link: str | None) -> str | None:
        [(name, key)] = link.items()
        if not key:
            return None
        joint = "&" if self.query else "?"
        return f"{reverse('inbox:list')}{self.query}{joint}{urlencode({name: key})}"


class InboxView(InboxMixin, TemplateView):
    """The list, with a conversation beside it where one is chosen."""

    template_name = "channels/inbox/page.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page; for a click on a row the thread alone."""
        thread = self.thread
        if thread and thread.conversation:
            mark_conversation_read(thread.conversation)
            see_mentions(thread.lead, self.user)
        if thread and request.htmx and request.htmx.target == "thread":  # type: ignore[attr-defined]
            context = thread_context(thread, self.user, INBOX) | self.header_context()
            return render(request, "channels/inbox/_thread.html", context)
        response = super().get(request, *args, **kwargs)
        if request.htmx and not thread:  # type: ignore[attr-defined]
            push_url(response, request.path + self.query)
        return response

    @cached_property
    def thread(self) -> Thread | None:
        """The thread that the address names; None where it names none."""
        wanted = self.kwargs.get("conversation_id")
        if wanted is None:
            return None
        row = Conversation.objects.filter(pk=wanted).values_list("lead_id", "channel").first()
        if row is None:
            raise Http404(_("There is no such conversation."))
        return thread_of(lead_with_stages(row[0]), Channel(row[1]), self.user)

    def header_context(self) -> dict[str, Any]:
        """What channels/inbox/_header.html names beside the thread."""
        return {"query": self.query, **header_context(self.team)}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What channels/inbox/page.html names."""
        context = super().get_context_data(section="inbox", **kwargs)
        if self.thread:
            context |= thread_context(self.thread, self.user, INBOX) | self.header_context()
        conversation = self.thread.conversation if self.thread else None
        context |= self.side_context(conversation.pk if conversation else None)
        if self.request.GET.get("view") == MENTIONS:
            context["mentions"] = list(mentions_of(self.user)[:MOST_MENTIONS])
        return context


class PulseView(InboxMixin, View):
    """What has changed on an open page, asked every second: nothing is a 204."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The parts of the page that read otherwise now."""
        asked_at = timezone.now()
        parts = [*self._thread_parts(), *self._list_parts()]
        response = HttpResponse("".join(parts), status=200 if parts else 204)
        response["Cache-Control"] = "no-store"
        response[SINCE] = asked_at.isoformat() if self._compared else request.GET.get("since", "")
        return response

    _compared = False

    def _thread_parts(self) -> list[str]:
        query = self.request.GET
        lead_id, channel = parse_id(query.get("lead", "")), query.get("on", "")
        if lead_id is None or channel not in Channel.values:
            return []
        if pulse_of(Lead(pk=lead_id), channel, self.user) == query.get("pulse"):
            return []
        try:
            lead = lead_with_stages(lead_id)
        except Lead.DoesNotExist:
            return []
        return [self._thread_news(thread_of(lead, Channel(channel), self.user))]

    def _thread_news(self, thread: Thread) -> str:
        query, lead, row = self.request.GET, thread.lead, thread.conversation
        if query.get("visible") and row and thread.seen > query.get("seen", ""):
            mark_conversation_read(row)
            see_mentions(lead, self.user)
        context = {"thread": thread, "lead": lead, **header_context(self.team)}
        # Read after it was marked, which is a change too.
        context |= {"pulse": thread.pulse, "query": self.query}
        context["place"] = query.get("place", LEAD)
        return render_to_string("channels/inbox/_thread_news.html", context, self.request)

    def _list_parts(self) -> list[str]:
        query = self.request.GET
        if "list_version" not in query or query.get("q"):
            return []
        since = parse_since(query.get("since", ""))
        if since and is_quiet(since):
            return []
        self._compared = True
        context = self.side_context(query.get("selected"))
        if context["list_version"] == query["list_version"]:
            return []
        return [render_to_string("channels/inbox/_list_news.html", context, self.request)]


def header_context(team: list[User]) -> dict[str, Any]:
    """What may be done with a conversation: to whom it may be given, until when it may wait."""
    return {"team": team, "snooze_choices": snooze_choices()}


def parse_id(text: str) -> UUID | None:
    """An id that a page gave; None: it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def parse_since(text: str) -> datetime | None:
    """A time that an answer gave; None: it is none."""
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    return at if at and timezone.is_aware(at) else None
