"""What people decide about a draft: the buttons and keys of the queue."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View
from django_htmx.http import push_url

from channels.autopilot.deciding import (
    Outdated,
    approve_draft,
    dismiss_draft,
    edit_draft,
    stop_draft,
)
from channels.autopilot.drafts import request_draft
from channels.autopilot.forms import DraftForm
from channels.autopilot.models import Draft
from channels.autopilot.policies import set_mode
from channels.autopilot.queries import draft_called, next_waiting
from channels.autopilot.views.base import parts
from channels.autopilot.views.queue import QueueMixin
from channels.models import Conversation

STAYS, GOES_ON = False, True


class DraftVerbView(QueueMixin, View):
    """Does one thing with a draft, and shows it, or the next one."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, draft_id: UUID, **_kwargs: Any) -> HttpResponse:
        """Do it, or say why not."""
        draft = self._draft(draft_id)
        try:
            goes_on = self.change(draft)
        except Outdated as outdated:
            return self._refuse(draft_id, str(outdated.reason))
        except ValidationError as error:
            return self._refuse(draft_id, " ".join(error.messages))
        except (Draft.DoesNotExist, Conversation.DoesNotExist) as gone:
            raise Http404(_("There is no such draft.")) from gone
        shown = next_waiting(draft, self.channel) if goes_on else self._draft(draft_id)
        return self._answer(shown)

    def change(self, draft: Draft) -> bool:
        """Call the service; returns whether the next draft is to be shown."""
        raise NotImplementedError

    def typed(self, draft: Draft) -> DraftForm | None:
        """What was typed, for the page that says why nothing was done; None: nothing was."""
        return None

    @property
    def revision(self) -> int:
        """The revision that the page shows; 0: it does not say."""
        given = self.request.POST.get("revision", "")
        return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0

    def _draft(self, draft_id: UUID) -> Draft:
        found = draft_called(draft_id)
        if found is None:
            raise Http404(_("There is no such draft."))
        return found

    def _refuse(self, draft_id: UUID, trouble: str) -> HttpResponse:
        draft = self._draft(draft_id)
        return self._answer(draft, trouble, self.typed(draft))

    def _answer(
        self, draft: Draft | None, trouble: str = "", typed: DraftForm | None = None
    ) -> HttpResponse:
        page = reverse("autopilot:draft", args=[draft.pk]) if draft else reverse("autopilot:queue")
        url = f"{page}{self.query}"
        if not self.request.htmx:
            if trouble:
                messages.error(self.request, trouble)
            return redirect(url)
        more = {"form": typed, "is_typing": True} if typed else {}
        context = self.draft_context(draft, trouble=trouble, **more) if draft else {}
        template = "autopilot/_draft.html" if draft else "autopilot/_nothing.html"
        beside = self.list_context(draft.pk if draft else None) | self.shell_context("queue")
        shown = (template, context), ("autopilot/_beside.html", beside)
        response = parts(self.request, *shown, status=422 if trouble else 200)
        return push_url(response, url)


class ApproveView(DraftVerbView):
    """Let the shown revision go out."""

    def change(self, draft: Draft) -> bool:
        approve_draft(draft.pk, revision=self.revision, actor=self.user)
        messages.success(self.request, _("Approved. It goes out in ten seconds; u stops it."))
        return GOES_ON


class EditView(DraftVerbView):
    """Save the text of the editor, and approve it if that was asked for."""

    def change(self, draft: Draft) -> bool:
        form = DraftForm(self.request.POST)
        if not form.is_valid():
            raise ValidationError([error for errors in form.errors.values() for error in errors])
        edited = edit_draft(draft.pk, actor=self.user, **form.cleaned_data)
        if self.request.POST.get("then") != "approve":
            messages.success(self.request, _("Saved."))
            return STAYS
        approve_draft(draft.pk, revision=edited.revision, actor=self.user)
        messages.success(self.request, _("Approved. It goes out in ten seconds; u stops it."))
        return GOES_ON

    def typed(self, draft: Draft) -> DraftForm:
        given = {name: self.request.POST.get(name, "") for name in ("subject", "body")}
        return DraftForm(initial={**given, "revision": draft.revision})


class DismissView(DraftVerbView):
    """Decide that it does not go out."""

    def change(self, draft: Draft) -> bool:
        reason = self.request.POST.get("reason", "")
        dismiss_draft(draft.pk, revision=self.revision, reason=reason, actor=self.user)
        messages.success(self.request, _("Dismissed."))
        return GOES_ON


class StopView(DraftVerbView):
    """Take an approval back."""

    def change(self, draft: Draft) -> bool:
        stop_draft(draft.pk)
        messages.success(self.request, _("Stopped: nothing went out."))
        return STAYS


class RedraftView(DraftVerbView):
    """Ask for another draft."""

    def change(self, draft: Draft) -> bool:
        if request_draft(draft.conversation, asked_by=self.user) is None:
            raise ValidationError(_("Another draft is under way."))
        messages.success(self.request, _("Another draft is asked for; it takes this one's place."))
        return STAYS


class ModeView(DraftVerbView):
    """Say how much is left to the autopilot in the draft's conversation."""

    def change(self, draft: Draft) -> bool:
        mode = self.request.POST.get("mode", "")
        try:
            set_mode(draft.conversation, mode, actor=self.user, is_leading=self.is_leading)
        except PermissionDenied as refusal:
            raise ValidationError(str(refusal)) from None
        messages.success(self.request, _("Noted for this conversation."))
        return STAYS
