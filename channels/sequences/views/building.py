"""The builder: a sequence's steps, put in, written, moved and taken out, with a preview beside."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import View
from django_htmx.http import reswap, trigger_client_event

from channels.sequences.branch_forms import BranchForm
from channels.sequences.documents import KINDS, Document, Step
from channels.sequences.editing import (
    NoSuchStep,
    Place,
    inserted,
    moved,
    moved_to,
    place_behind,
    removed,
    replaced,
    step_of,
)
from channels.sequences.faults import faults_of
from channels.sequences.previewing import Unpreviewable, preview
from channels.sequences.queries import stages_asked
from channels.sequences.statistics import sent_and_replied
from channels.sequences.step_forms import (
    LinkedInForm,
    MessageForm,
    StepForm,
    TaskForm,
    VariantsForm,
    WaitForm,
)
from channels.sequences.trying import try_mail
from channels.sequences.versions import edit_draft
from channels.sequences.views.base import (
    BuildingMixin,
    SequenceMixin,
    id_in,
    instead,
    is_stale,
    refused_in_words,
    told_wrong,
)
from channels.sequences.views.plans_shown import shown_plan
from channels.sequences.views.steps_shown import KINDS as OFFERED
from channels.sequences.views.steps_shown import shown_steps, summary_of
from channels.variables import VARIABLES
from leads.models import Lead
from leads.queries import leads
from leads.views.base import fragment

# So many leads, the last changed, are offered to look at a sequence with.
MOST_LEADS = 25
FORMS: dict[str, type[StepForm]] = {
    "message": MessageForm,
    "wait": WaitForm,
    "task": TaskForm,
    "linkedin": LinkedInForm,
    "branch": BranchForm,
}
Change = Callable[[Document], Document]


class BuilderMixin(SequenceMixin):
    """What the builder shows."""

    tab = "steps"

    def builder(self, opened: dict[str, Any] | None = None) -> dict[str, Any]:
        """What sequences/_builder.html names.

        Args:
            opened: what sequences/_step_form.html names of the step whose form is open.
        """
        document = self.document
        faults = faults_of(document, document.plan(self.shown))
        return {
            "sequence": self.sequence,
            "draft": self.draft,
            "revision": self.revision,
            "may_build": self.may_build,
            "steps": shown_steps(
                document.steps, faults, sent_and_replied(self.sequence), stages_asked(document)
            ),
            "faults": [str(fault.reason) for fault in faults if fault.step is None],
            "kinds": OFFERED,
            "field_names": VARIABLES,
            "opened": opened,
        }


class DetailView(BuilderMixin, View):
    """The steps of a sequence, and what they would do for a lead."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The page."""
        offered = list(leads().order_by("-updated_at", "-id")[:MOST_LEADS])
        context = {"leads": offered, "variables": VARIABLES, **self.builder()}
        return self.page("sequences/steps.html", **context)


class PreviewView(SequenceMixin, View):
    """What would happen to a lead who came in now."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The part of the page that shows it."""
        chosen = id_in(request.GET.get("lead", ""))
        lead = leads().filter(pk=chosen).first() if chosen else None
        lead = lead or leads().order_by("-updated_at", "-id").first()
        context: dict[str, Any] = {
            "sequence": self.sequence,
            "preview_lead": lead,
            "may_try": self.may_build,
        }
        if lead:
            context |= self._planned(lead)
        if request.htmx:  # type: ignore[attr-defined]
            return render(request, "sequences/_preview.html", context)
        return self.page("sequences/preview.html", **context)

    def _planned(self, lead: Lead) -> dict[str, Any]:
        try:
            planned = preview(self.shown, lead, sender=None)
        except Unpreviewable as reason:
            return {"problem": reason.reason}
        return {"planned": shown_plan(planned, self.document)}


class TryStepView(BuildingMixin, View):
    """Send a mail of the sequence to whoever is logged in."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Have it sent, as it would read for the lead that `lead` names."""
        chosen = id_in(request.POST.get("lead", ""))
        lead = leads().filter(pk=chosen).first() if chosen else None
        if lead is None:
            raise Http404(_("There is no such lead."))
        try:
            try_mail(self.shown, kwargs["key"], lead, self.user)
        except Unpreviewable as reason:
            return self._told_wrong(ValidationError(str(reason.reason)))
        except ValidationError as error:
            return self._told_wrong(error)
        told = _("A test is on its way to %(address)s.") % {"address": self.user.email}
        messages.success(request, told)
        if not request.htmx:  # type: ignore[attr-defined]
            return redirect("sequences:detail", self.sequence.pk)
        return reswap(render(request, "components/toasts.html", {"oob": True}), "none")

    def _told_wrong(self, error: ValidationError) -> HttpResponse:
        if self.request.htmx:
            return told_wrong(self.request, error)
        refused_in_words(self.request, error)
        return redirect("sequences:detail", self.sequence.pk)


class ChangingMixin(BuildingMixin, BuilderMixin):
    """A change of the draft, answered by the builder anew."""

    # Of the draft as the page knew it, and after the change; None: there was none.
    revisions: dict[str, int | None] | None = None

    def edit(self, change: Change) -> None:
        """Change the draft as its editor saw it, and read it anew.

        Raises:
            ValidationError: somebody else has changed it meanwhile, or it cannot be.
        """
        try:
            draft = edit_draft(self.sequence, change, revision=self.seen)
        except NoSuchStep:
            raise ValidationError(_("Somebody has taken this step out in the meantime.")) from None
        except ValueError as error:
            raise ValidationError(_reason_of(error)) from None
        self.revisions = {"seen": self.seen, "now": draft.revision}
        self.forget()

    @property
    def seen(self) -> int | None:
        """The revision that the page was made of; None where it does not say."""
        given = self.request.POST.get("revision", "")
        return int(given) if given.isdecimal() and len(given) < 10 else None

    def answer(self, opened: dict[str, Any] | None = None) -> HttpResponse:
        """The builder anew, or the whole page for a browser without scripts."""
        if not self.request.htmx:
            return redirect("sequences:detail", self.sequence.pk)
        self.forget()
        context = {**self.builder(opened), "oob": True}
        response = instead(fragment(self.request, "sequences/_changed.html", context), "#builder")
        return trigger_client_event(response, "builder-changed", self.revisions)

    def refuse(self, error: ValidationError) -> HttpResponse:
        """Say why nothing was changed; with the builder as it is now, where somebody else was
        faster."""
        if not self.request.htmx:
            refused_in_words(self.request, error)
            return redirect("sequences:detail", self.sequence.pk)
        if getattr(error, "code", "") == "stale":
            messages.error(self.request, _("Somebody changed this sequence: look at it again."))
            return self.answer()
        return told_wrong(self.request, error)


class AddStepView(ChangingMixin, View):
    """A new step, with its form open."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Put it in where its “+” stands."""
        kind = KINDS.get(request.POST.get("kind", ""))
        if kind is None:
            raise Http404(_("There is no such kind of step."))
        step: Any = kind()
        try:
            self.edit(lambda document: inserted(document, step, self._place(document)))
        except ValidationError as error:
            return self.refuse(error)
        return self.answer(opened(step, form_of(step, self.document, self.revision)))

    def _place(self, document: Document) -> Place:
        """Behind the step that `after` names, or at the beginning of the way that `into` names."""
        given = self.request.POST
        if after := id_in(given.get("after", "")):
            return place_behind(document, after)
        branch, _colon, way = given.get("into", "").partition(":")
        if (key := id_in(branch)) and way in ("then", "otherwise"):
            return Place(0, key, way)
        return Place(0)


class StepMixin(BuilderMixin):
    """A page about one step; one that is gone is not found."""

    @cached_property
    def step(self) -> Step:
        """The step that the address names."""
        try:
            return step_of(self.document, self.kwargs["key"])
        except NoSuchStep:
            raise Http404(_("There is no such step.")) from None

    def show(self, form: StepForm, status: int = 200) -> HttpResponse:
        """The form: in its place in the list, or on a page of its own."""
        context = self.builder(opened(self.step, form))
        if self.request.htmx:
            part = render(self.request, "sequences/_step_form.html", context, status=status)
            return instead(part, f"#step-{self.step.key}")
        return self.page("sequences/step.html", status=status, **context)


class StepView(ChangingMixin, StepMixin, View):
    """One step: its form, and saving it."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The form."""
        return self.show(form_of(self.step, self.document, self.revision))

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Save it; or do with the form what a button in it says, and save nothing."""
        form = form_of(self.step, self.document, self.revision, request.POST)
        act = request.POST.get("act", "")
        if isinstance(form, VariantsForm) and (data := form.acted(act)) is not None:
            return self.show(form_of(self.step, self.document, self.revision, data))
        if not form.is_valid() or not form.run(lambda: self._save(form)):
            if is_stale(form):
                self.forget()
                # Saving again overwrites what others have changed: who was told so may.
                form.show_revision(self.revision)
            return self.show(form, status=422)
        return self.answer()

    def _save(self, form: StepForm) -> None:
        step = form.read()
        self.edit(lambda document: replaced(document, step))


class StepVerbView(ChangingMixin, StepMixin, View):
    """Move a step, or take it out."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Do it."""
        verbs: dict[str, Callable[[Document, UUID], Document]] = {
            "up": lambda document, key: moved(document, key, -1),
            "down": lambda document, key: moved(document, key, 1),
            "to-start": lambda document, key: moved_to(document, key, "start"),
            "to-end": lambda document, key: moved_to(document, key, "end"),
            "remove": removed,
        }
        verb = verbs.get(self.kwargs["verb"])
        if verb is None:
            raise Http404(_("There is no such action."))
        key = self.step.key
        try:
            self.edit(lambda document: verb(document, key))
        except ValidationError as error:
            return self.refuse(error)
        return self.answer()


def form_of(step: Step, document: Document, revision: int, data: Any = None) -> StepForm:
    """The form of a step, filled in with what was typed."""
    return FORMS[step.kind](data, step=step, document=document, revision=revision)


def opened(step: Step, form: StepForm) -> dict[str, Any]:
    """What sequences/_step_form.html names of the step whose form is open."""
    return {"step": step, "form": form, "summary": summary_of(step)}


def _reason_of(error: ValueError) -> str:
    # What pydantic says comes with the place in the document, which tells nobody anything.
    problems = getattr(error, "errors", None)
    if problems is None:
        return str(error)
    return "; ".join(str(each.get("ctx", {}).get("error", each["msg"])) for each in problems())
