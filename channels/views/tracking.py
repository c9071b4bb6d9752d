"""What a tracked mail asks for: its image, and where its links lead. To ask changes nothing that
matters: programs look into mails, too."""

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext as _
from django.views.generic import View

from channels.models import Message, TrackedLink
from channels.tracking.hits import note_hit
from channels.tracking.links import Target, target_of
from salesflow.accounts.backoff import client_address
from salesflow.accounts.context import tenant_context

# One transparent point.
PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)

# Headers in which browsers say why they ask, the standard's first.
PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


class TrackedOpenView(View):
    """The image of a mail; whoever asks for another one gets the same."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """The image, which nobody keeps: it is asked for again when the mail is opened again."""
        target = target_of(token)
        if target and target.link is None:
            _note(request, target)
        return _unkept(HttpResponse(PIXEL, content_type="image/gif"))


class TrackedClickView(View):
    """Where a link of a mail leads: what was written in it, and nowhere else."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """On to there, without telling that server which mail it stood in."""
        target = target_of(token)
        if target is None or target.link is None:
            raise _unknown()
        link = _note(request, target)
        url = target.url or (link.url if link else "")
        if not url:
            raise _unknown()
        # Not HttpResponseRedirect, which might refuse what a colleague has written.
        response = HttpResponse(status=302, headers={"Location": iri_to_uri(url)})
        response["Referrer-Policy"] = "no-referrer"
        return _unkept(response)


def _unknown() -> Http404:
    return Http404(_("This address is not valid any more."))


def _note(request: HttpRequest, target: Target) -> TrackedLink | None:
    """Keep what was asked for, if it is still known here; the link, if it is one."""
    rows = Message.unscoped.select_related("tenant").filter(pk=target.message_id, tracks=True)
    message = rows.defer("body", "html", "quoted", "references").first()
    if message is None:
        return None
    with tenant_context(message.tenant):
        links = TrackedLink.objects.filter(message=message, number=target.link)
        link: TrackedLink | None = links.first() if target.link is not None else None
        if (link is None) == (target.link is None):
            note_hit(
                message,
                link,
                method=request.method or "",
                agent=request.headers.get("User-Agent", ""),
                address=client_address(request),
                purpose=" ".join(request.headers.get(name, "") for name in PURPOSES),
            )
    return link


def _unkept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
