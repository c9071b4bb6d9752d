"""What the pages about one sequence have in common."""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django_htmx.http import reswap, retarget

from channels.sequences import models
from channels.sequences.documents import Document
from channels.sequences.models import Version
from channels.sequences.queries import People, people_in, sequences
from channels.sequences.versions import draft_of
from channels.sequences.words import TONES
from salesflow.accounts.models import User
from salesflow.accounts.views import LEADING, LeadingRoleMixin, TenantRequiredMixin

SECTION = "sequences"


class SequenceMixin(TenantRequiredMixin):
    """A page about one sequence of the tenant; anything else is not found."""

    request: Any
    kwargs: dict[str, Any]
    tab = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer 404 also when the sequence goes while the request is answered."""
        try:
            return super().dispatch(request, *args, **kwargs)
        except models.Sequence.DoesNotExist as error:
            raise Http404(_("There is no such sequence.")) from error

    @cached_property
    def sequence(self) -> models.Sequence:
        """The sequence that the address names."""
        return sequences().get(pk=self.kwargs["sequence_id"])

    @cached_property
    def draft(self) -> Version | None:
        """What is edited; None where nothing is."""
        return draft_of(self.sequence)

    @property
    def shown(self) -> Version:
        """The version that the pages show: the draft, or else the one in use."""
        version = self.draft or self.sequence.published
        assert version
        # So that nobody asks for it again.
        version.sequence = self.sequence
        return version

    @property
    def document(self) -> Document:
        """What the shown version consists of."""
        return Document.model_validate(self.shown.content)

    @property
    def revision(self) -> int:
        """Of the draft; 0 where there is none yet."""
        return self.draft.revision if self.draft else 0

    @property
    def user(self) -> User:
        """Whoever is logged in."""
        return self.request.user  # type: ignore[no-any-return]

    @property
    def may_build(self) -> bool:
        """Whether whoever is logged in may change the sequence, and not only use it."""
        return self.request.membership.role in LEADING

    def page(self, template: str, status: int = 200, **context: Any) -> HttpResponse:
        """One of the pages of the sequence."""
        return render(self.request, template, {**self.context(), **context}, status=status)

    def context(self) -> dict[str, Any]:
        """What sequences/_header.html names."""
        people: People = people_in([self.sequence])[self.sequence.pk]
        return {
            "section": SECTION,
            "tab": self.tab,
            "sequence": self.sequence,
            "tone": TONES[models.Sequence.State(self.sequence.state)],
            "people": people.shown,
            "draft": self.draft,
            "may_build": self.may_build,
        }


class BuildingMixin(LeadingRoleMixin, SequenceMixin):
    """A page on which a sequence is changed: for those who lead the team."""

    def forget(self) -> None:
        """Read the sequence and its draft anew: they were changed."""
        for name in ("sequence", "draft"):
            self.__dict__.pop(name, None)


def refused_in_words(request: HttpRequest, error: ValidationError) -> None:
    """Say what a service refused."""
    for text in error.messages:
        messages.error(request, text)


def told_wrong(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Say what a service refused, where there is no form to show it in."""
    refused_in_words(request, error)
    return reswap(render(request, "components/toasts.html", {"oob": True}, status=422), "none")


def instead(response: HttpResponse, target: str) -> HttpResponse:
    """The answer, put in the place of another element than the one that asked."""
    return reswap(retarget(response, target), "outerHTML")


def is_stale(form: Form) -> bool:
    """Whether a form was refused because somebody else has edited the draft meanwhile."""
    return any(error.code == "stale" for error in form.non_field_errors().as_data())


def id_in(text: str) -> UUID | None:
    """The id that somebody's address holds, if it holds one."""
    try:
        return UUID(text)
    except ValueError:
        return None
