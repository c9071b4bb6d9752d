"""Several plain drafts on one page, to be read and approved together."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import TemplateView

from channels.autopilot.batches import MOST_AT_ONCE, Refused, Seen, approve_drafts
from channels.autopilot.queries import plain_readings
from channels.autopilot.views.base import AutopilotMixin


class BatchView(AutopilotMixin, TemplateView):
    """The plain drafts that wait longest, whole, and one button for those that were chosen."""

    template_name = "autopilot/batch.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What autopilot/batch.html names."""
        readings = plain_readings(MOST_AT_ONCE)
        return super().get_context_data(**self.shell_context("queue"), readings=readings, **kwargs)

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        """Approve what was chosen; the rest stays, with the reason."""
        seen = [each for given in request.POST.getlist("draft") if (each := _seen(given))]
        if not seen:
            messages.error(request, _("Choose at least one draft."))
            return redirect("autopilot:batch")
        approved, refused = approve_drafts(seen[:MOST_AT_ONCE], actor=self.user)
        self._tell(approved, refused)
        has_more = bool(plain_readings(1))
        return redirect(reverse("autopilot:batch" if has_more else "autopilot:queue"))

    def _tell(self, approved: int, refused: list[Refused]) -> None:
        for refusal in refused:
            words = f"{refusal.who}: {refusal.reason}" if refusal.who else refusal.reason
            messages.error(self.request, words)
        if approved:
            text = ngettext(
                "%(count)d approved. It goes out in ten seconds, and can be stopped until then.",
                "%(count)d approved. They go out in ten seconds, and can be stopped until then.",
                approved,
            )
            messages.success(self.request, text % {"count": approved})


def _seen(given: str) -> Seen | None:
    """A choice as the page names it, “<id>:<revision>”; None: no page does that."""
    draft_id, _colon, revision = given.partition(":")
    try:
        return Seen(UUID(draft_id), int(revision[:9]))
    except ValueError:
        return None
