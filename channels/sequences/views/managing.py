"""What is done with a sequence as a whole: published, cloned, paused, laid aside, set up."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View
from django_htmx.http import HttpResponseClientRedirect

from channels.sequences import models
from channels.sequences.faults import faults_of
from channels.sequences.forms import NameForm, SettingsForm
from channels.sequences.models import Enrolment
from channels.sequences.pausing import pause_sequence, resume_sequence
from channels.sequences.publishing import NotPublishable, publish_version
from channels.sequences.versions import (
    archive_sequence,
    clone_sequence,
    delete_sequence,
    discard_draft,
    edit_draft,
    rename_sequence,
    restore_sequence,
)
from channels.sequences.views.base import BuildingMixin, is_stale
from channels.sequences.views.steps_shown import shown_steps, walk_shown
from leads.queries import count_capped

Do = Callable[..., Any]
# What a button does, and what is said when it has changed something.
VERBS: dict[str, tuple[Do, str | Promise]] = {
    "pause": (pause_sequence, gettext_lazy("%(name)s is paused: nobody moves on.")),
    "resume": (resume_sequence, gettext_lazy("%(name)s goes on.")),
    "archive": (archive_sequence, gettext_lazy("%(name)s is archived: nobody comes in any more.")),
    "restore": (restore_sequence, gettext_lazy("%(name)s is used again.")),
}


class DialogMixin(BuildingMixin):
    """A dialog about a sequence: opened by htmx, or a page of its own without scripts."""

    dialog = ""

    def show(self, status: int = 200, **context: Any) -> HttpResponse:
        """The dialog."""
        given = {"sequence": self.sequence, "dialog": self.dialog, **context}
        if self.request.htmx:
            return render(self.request, self.dialog, given, status=status)
        return self.page("sequences/dialog_page.html", status=status, **given)

    def leave(self, address: str) -> HttpResponse:
        """The page on which it goes on."""
        if self.request.htmx:
            return HttpResponseClientRedirect(address)
        return redirect(address)


class PublishView(DialogMixin, View):
    """Let those who come in from now on begin with what was edited."""

    dialog = "sequences/_publish_dialog.html"

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """What keeps it from being published; else who finishes on which version."""
        return self._ask()

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Publish it."""
        given = request.POST.get("revision", "")
        try:
            version = publish_version(
                self.sequence,
                revision=int(given) if given.isdecimal() and len(given) < 10 else None,
                actor=self.user,
                takes_along="takes_along" in request.POST,
            )
        except NotPublishable:
            return self._ask(status=422)
        except ValidationError as error:
            return self._ask(status=422, refused=error.messages)
        told = {"name": self.sequence.name, "number": version.number}
        messages.success(request, _("Version %(number)s of %(name)s is in use.") % told)
        return self.leave(reverse("sequences:detail", args=[self.sequence.pk]))

    def _ask(self, status: int = 200, **context: Any) -> HttpResponse:
        self.forget()
        document = self.document
        faults = faults_of(document, document.plan(self.shown))
        places = {each.step.key: each for each in walk_shown(shown_steps(document.steps))}
        inside = Enrolment.objects.filter(sequence=self.sequence)
        under_way = inside.exclude(state=Enrolment.State.FINISHED)
        return self.show(
            status,
            draft=self.draft,
            revision=self.revision,
            faults=[
                {"shown": places[each.step] if each.step else None, "reason": each.reason}
                for each in faults
            ],
            under_way=count_capped(under_way),
            waiting=count_capped(under_way.filter(steps_done=0)),
            **context,
        )


class CloneView(DialogMixin, View):
    """Another sequence with the same steps."""

    dialog = "sequences/_clone_dialog.html"

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Ask for its name."""
        name = _("%(name)s (copy)") % {"name": self.sequence.name}
        return self.show(form=NameForm(initial={"name": name[:100]}))

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Make it, and show it."""
        form, made = NameForm(request.POST), list[models.Sequence]()

        def clone() -> None:
            name = form.cleaned_data["name"]
            made.append(clone_sequence(self.sequence, name, owner=self.user))

        if not form.is_valid() or not form.run(clone):
            return self.show(422, form=form)
        messages.success(request, _("%(name)s was made.") % {"name": made[0].name})
        return self.leave(reverse("sequences:detail", args=[made[0].pk]))


class VerbView(BuildingMixin, View):
    """Pause a sequence, let it go on, lay it aside, use it again."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Do it; of two people who do so, one is told nothing."""
        if kwargs["verb"] not in VERBS:
            raise Http404(_("There is no such action."))
        act, done = VERBS[kwargs["verb"]]
        try:
            if act(self.sequence, actor=self.user):
                messages.success(request, str(done) % {"name": self.sequence.name})
        except ValidationError as error:
            for text in error.messages:
                messages.error(request, text)
        return redirect("sequences:detail", self.sequence.pk)


class DiscardView(BuildingMixin, View):
    """Throw away what was edited since the last publication; a sequence without one goes."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Do it."""
        if self.sequence.published_id:
            discard_draft(self.sequence)
            messages.success(request, _("The steps are as they were published."))
            return redirect("sequences:detail", self.sequence.pk)
        try:
            delete_sequence(self.sequence)
        except ValidationError as error:
            # Somebody has published it at this moment.
            messages.error(request, " ".join(error.messages))
            return redirect("sequences:detail", self.kwargs["sequence_id"])
        messages.success(request, _("%(name)s was deleted.") % {"name": self.sequence.name})
        return redirect("sequences:list")


class SettingsView(BuildingMixin, View):
    """When it is written, how much, and what ends it: all of a version that is no step."""

    tab = "settings"

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The form."""
        return self._show(self._form())

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Save it, into the draft; the name holds at once."""
        form = self._form(request.POST)
        if not form.is_valid() or not form.run(lambda: self._save(form)):
            if is_stale(form):
                self.forget()
                form.show_revision(self.revision)
            return self._show(form, status=422)
        messages.success(request, _("The settings were saved. Publish them to put them to use."))
        return redirect("sequences:settings", self.sequence.pk)

    def _form(self, data: Any = None) -> SettingsForm:
        given = {"sequence": self.sequence, "document": self.document, "revision": self.revision}
        return SettingsForm(data, **given)  # type: ignore[arg-type]

    @transaction.atomic
    def _save(self, form: SettingsForm) -> None:
        given = form.cleaned_data
        if given["name"].strip() != self.sequence.name:
            rename_sequence(self.sequence, given["name"])
        if form.change(self.document) != self.document:
            edit_draft(self.sequence, form.change, revision=given["revision"])

    def _show(self, form: SettingsForm, status: int = 200) -> HttpResponse:
        return self.page("sequences/settings.html", status=status, form=form)
