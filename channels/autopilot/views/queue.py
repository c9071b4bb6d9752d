"""The queue of drafts that somebody has to decide about, with one of them open beside it."""

from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from channels.autopilot.deciding import REASONS, see_draft
from channels.autopilot.forms import DraftForm
from channels.autopilot.models import Draft, Mode
from channels.autopilot.policies import LADDER
from channels.autopilot.queries import (
    Reading,
    badges_of,
    draft_called,
    last_approved_by,
    next_waiting,
    on_their_way,
    page_of_waiting,
    read_draft,
)
from channels.autopilot.views.base import AutopilotMixin, parts
from channels.models import Channel


class QueueMixin(AutopilotMixin):
    """A page with the queue."""

    def list_context(self, selected: Any = None) -> dict[str, Any]:
        """What autopilot/_list.html names."""
        keys = {name: self.request.GET.get(name, "") for name in ("after", "before")}
        page = page_of_waiting(self.channel, **keys)
        approved = on_their_way()
        return {
            "rows": [(draft, badges_of(draft)) for draft in page.rows],
            "on_their_way": approved,
            "undone": last_approved_by(self.user, approved),
            "selected": selected,
            "channel": self.channel,
            "channels": Channel.choices,
            "query": self.query,
            "newer_url": _page_url(self.channel, before=page.before),
            "older_url": _page_url(self.channel, after=page.after),
        }

    @property
    def channel(self) -> str:
        """The one whose drafts are looked through; empty: all of them."""
        chosen: str = self.request.GET.get("channel", "")
        return chosen if chosen in Channel.values else ""

    @property
    def query(self) -> str:
        """The end of addresses that keep to that channel."""
        return f"?{urlencode({'channel': self.channel})}" if self.channel else ""

    def draft_context(self, draft: Draft, **more: Any) -> dict[str, Any]:
        """What autopilot/_draft.html names."""
        reading: Reading = read_draft(draft)
        initial = {"revision": draft.revision, "subject": draft.subject, "body": draft.body}
        return {
            "reading": reading,
            "draft": draft,
            "form": DraftForm(initial=initial),
            "reasons": list(REASONS.items()),
            "modes": self._modes(reading),
            "may_take_back": self.is_leading or reading.rule.ceiling is None,
            "is_leading": self.is_leading,
            "query": self.query,
            **more,
        }

    def _modes(self, reading: Reading) -> list[tuple[str, str]]:
        """The modes that the user may choose for the conversation."""
        most = len(LADDER) if self.is_leading else LADDER.index(reading.rule.most) + 1
        return [(mode.value, str(Mode(mode).label)) for mode in LADDER[:most]]


class QueueView(QueueMixin, TemplateView):
    """The queue; for a click on a row the draft alone."""

    template_name = "autopilot/queue.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, or the draft that the address names."""
        draft = self.draft
        if draft:
            see_draft(draft)
        if draft and request.htmx and request.htmx.target == "draft":  # type: ignore[attr-defined]
            return parts(request, ("autopilot/_draft.html", self.draft_context(draft)))
        return super().get(request, *args, **kwargs)

    @cached_property
    def draft(self) -> Draft | None:
        """The draft that the address names; None where it names none."""
        wanted = self.kwargs.get("draft_id")
        if wanted is None:
            return None
        found = draft_called(wanted)
        if found is None:
            raise Http404(_("There is no such draft."))
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What autopilot/queue.html names."""
        context = super().get_context_data(**self.shell_context("queue"), **kwargs)
        if self.draft:
            context |= self.draft_context(self.draft)
        return context | self.list_context(self.draft.pk if self.draft else None)


class NewsView(AutopilotMixin, View):
    """Whether something has come into the queue since; nothing is a 204."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """A line that says so, which shows the queue anew: nothing moves under the cursor."""
        seen = request.GET.get("seen", "")
        context = self.shell_context("queue")
        if context["waiting_count"] == seen:
            return HttpResponse(status=204)
        first = next_waiting()
        context["first_url"] = reverse("autopilot:draft", args=[first.pk]) if first else ""
        return parts(request, ("autopilot/_news.html", context))


def _page_url(channel: str, **link: str | None) -> str | None:
    [(name, key)] = link.items()
    if not key:
        return None
    asked = {"channel": channel, name: key} if channel else {name: key}
    return f"{reverse('autopilot:queue')}?{urlencode(asked)}"
