"""Writing to a lead, or to the team about them: the composer under every thread."""

import re
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View
from django_htmx.http import (
    HttpResponseClientRedirect,
    reswap,
    retarget,
    trigger_client_event,
)

from channels.composing import (
    approved_templates,
    claim,
    first_values,
    new_key,
    reachable_channels,
    replies_for,
    why_not_now,
    write_once,
)
from channels.files import file_limits
from channels.forms import ComposerForm, TeamNoteForm
from channels.models import Channel, Message, MessageTemplate
from channels.queries import addresses_of
from channels.services.conversations import (
    close_conversation,
    note_replying,
    stop_replying,
)
from channels.services.messages import receive_message, send_message
from channels.services.queueing import NO_ADDRESS
from channels.services.templates import send_template
from channels.threads import Entry, Thread, channel_of, news_since, thread_of
from leads.forms import ServiceForm
from leads.mentions import see_mentions
from leads.models import Lead
from leads.services import add_note, lock_lead
from leads.views.base import LeadMixin, announce_change, fragment, lead_url
from salesflow.accounts.models import User
from salesflow.accounts.queries import team_members

NOTE = "note"
INBOX, LEAD = "inbox", "lead"
# What `new_key` makes.
KEY = re.compile(r"[0-9a-f]{32}")
TEXTS = ("subject", "cc", "body")
# What a form says; the rest is about where it stood, and when.
SAID = (*TEXTS, "mode", "account", "to_address", "template", "pasted")


class HeldBack(Exception):
    """Others have written meanwhile; `entries` are what."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__(len(entries))
        self.entries = entries


class ThreadMixin(LeadMixin):
    """A page about what was written with a lead on one channel."""

    @property
    def given(self) -> Any:
        """The request's parameters."""
        return self.request.POST if self.request.method == "POST" else self.request.GET

    @property
    def place(self) -> str:
        """Where the thread stands: in the inbox, or on the lead's page."""
        return INBOX if self.given.get("place") == INBOX else LEAD

    @cached_property
    def channel(self) -> Channel | None:
        """On which channel; None where nothing reaches the lead."""
        return channel_of(self.lead, self.given.get("channel", ""))

    @cached_property
    def thread(self) -> Thread:
        """The end of the thread."""
        return thread_of(self.lead, self.channel or Channel.EMAIL, self.user)


class ThreadView(ThreadMixin, View):
    """The thread with its composer, on the lead's page."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """A part of the lead's page for htmx, else a page of its own."""
        context = thread_context(self.thread, self.user, LEAD)
        see_mentions(self.lead, self.user)
        if request.htmx:  # type: ignore[attr-defined]
            return render(request, "channels/inbox/_thread.html", context)
        return render(request, "channels/composer.html", {"section": "leads", **context})


class EarlierView(ThreadMixin, View):
    """An earlier page of a thread."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """The entries, to be put above those that are there."""
        channel, after = self.channel or Channel.EMAIL, request.GET.get("after", "")
        thread = thread_of(self.lead, channel, self.user, after=after)
        context = {"lead": self.lead, "thread": thread, "place": self.place}
        if request.htmx:  # type: ignore[attr-defined]
            return render(request, "channels/inbox/_entries.html", context)
        return render(request, "channels/inbox/earlier.html", {"section": "leads", **context})


class ComposerView(ThreadMixin, View):
    """The composer: empty, on another channel, held back, refused or sent."""

    @property
    def mode(self) -> str:
        """A channel, or "note"."""
        wanted = self.given.get("switch") or self.given.get("mode", "")
        if wanted == NOTE:
            return NOTE
        if wanted in Channel.values:
            return str(wanted)
        return self.channel or ""

    @cached_property
    def written_thread(self) -> Thread:
        """The thread that the message goes to; after a switch not the one that is shown."""
        if self.mode in (NOTE, self.thread.channel) or not self.mode:
            return self.thread
        return thread_of(self.lead, Channel(self.mode), self.user)

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """An empty composer; without scripts a page."""
        return self._composer()

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Switch, hold back, refuse or send."""
        if request.POST.get("switch"):
            return self._composer(initial={name: request.POST.get(name, "") for name in TEXTS})
        if not self.mode:
            return self._composer(form=self._form(), status=422)
        form = self._form()
        if not form.is_valid():
            return self._composer(form=form, status=422)
        try:
            is_written = form.run(partial(self._write_once, form))
        except HeldBack as others:
            return self._composer(form=form, held=others.entries, status=422)
        return self._written() if is_written else self._composer(form=form, status=422)

    def _form(self) -> ServiceForm:
        if self.mode == NOTE or not self.mode:
            return TeamNoteForm(self.request.POST)
        given = self.request.POST, self.request.FILES
        return ComposerForm(*given, lead=self.lead, channel=Channel(self.mode))

    def _write_once(self, form: ServiceForm) -> None:
        key = self.request.POST.get("key", "")
        known = key if KEY.fullmatch(key) else ""
        said = {name: self.request.POST.get(name, "") for name in SAID}
        files = [(file.name, file.size) for file in self.request.FILES.getlist("files")]
        write_once(known, {**said, "files": repr(files)}, partial(self._write, form.cleaned_data))

    def _write(self, given: dict[str, Any]) -> None:
        if self.mode == NOTE:
            add_note(self.lead, given["body"], author=self.user)
            return
        self._hold_back()
        if self.request.POST.get("pasted"):
            take_in_pasted(self.lead, self.mode, given["body"])
            return
        message = self._send(given)
        claim(message, self.user)
        stop_replying(message.conversation, self.user)
        if self.request.POST.get("then") == "close":
            close_conversation(message.conversation)

    def _hold_back(self) -> None:
        """Raise HeldBack where others have written since the composer was opened."""
        if "seen" not in self.request.POST:
            return
        # Whoever else writes at this moment has written, or waits until this message is there.
        lock_lead(self.lead)
        conversation = self.lead.conversations.filter(channel=self.mode).first()
        if conversation is None:
            return
        if entries := news_since(conversation, self.request.POST["seen"], but=self.user):
            raise HeldBack(entries)

    def _send(self, given: dict[str, Any]) -> Message:
        options: dict[str, Any] = {"author": self.user, "account": given.pop("account", None)}
        options["files"] = given.pop("files", ())
        template_id = self.request.POST.get("template", "")
        if template_id:
            template = chosen_template(template_id)
            address = given.get("to_address", "")
            return send_template(
                self.lead, template, channel=self.mode, to_address=address, **options
            )
        return send_message(self.lead, channel=self.mode, **given, **options)

    def _composer(self, status: int = 200, **parts: Any) -> HttpResponse:
        thread = self.written_thread
        context = composer_context(thread, self.user, self.place, mode=self.mode, **parts)
        context["shown"] = self.thread.channel
        # A browser fills in all of a form again but the files.
        context["files_left"] = bool(self.request.FILES)
        if self.request.htmx:
            return render(self.request, "channels/inbox/_composer.html", context, status=status)
        page = {"section": "leads", **thread_context(thread, self.user, LEAD), **context}
        return render(self.request, "channels/composer.html", page, status=status)

    def _written(self) -> HttpResponse:
        """Where it goes on; the page may forget the draft."""
        return trigger_client_event(self._next(), "written")

    def _next(self) -> HttpResponse:
        """A fresh composer; in another thread than the one shown, that thread."""
        if self.place == LEAD and self.mode != NOTE:
            messages.success(self.request, written_words(self.mode, self.request.POST))
        shown = self.thread.channel
        if not self.request.htmx:
            return redirect(self._address())
        if self.mode not in (NOTE, shown):
            return self._other_thread()
        del self.thread
        context = composer_context(self.thread, self.user, self.place, mode=shown)
        response = fragment(self.request, "channels/inbox/_composer.html", context)
        return trigger_client_event(announce_change(response), "thread-changed")

    def _other_thread(self) -> HttpResponse:
        if self.place == INBOX:
            return HttpResponseClientRedirect(self._address())
        thread = thread_of(self.lead, Channel(self.mode), self.user)
        context = thread_context(thread, self.user, LEAD)
        response = fragment(self.request, "channels/inbox/_thread.html", context)
        return announce_change(reswap(retarget(response, "#thread"), "outerHTML"))

    def _address(self) -> str:
        channel = self.thread.channel if self.mode == NOTE else self.mode
        conversation = self.lead.conversations.filter(channel=channel).first()
        if self.place == INBOX and conversation:
            return reverse("inbox:conversation", args=[conversation.pk])
        return lead_url(self.lead)


class ReplyingView(ThreadMixin, View):
    """Somebody presses keys in the composer."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """Tell the others for some seconds."""
        rows = self.lead.conversations.filter(channel=self.channel)
        if conversation := rows.first():
            note_replying(conversation, self.user)
        return HttpResponse(status=204)


class SuggestionsView(ThreadMixin, View):
    """What can be put in where somebody typed a slash or an “@”."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        """A list to choose from."""
        words = request.GET.get("q", "")[:50].replace("\x00", "")
        context: dict[str, Any] = {"lead": self.lead}
        if request.GET.get("sign") == "@":
            rows = team_members().exclude(pk=self.user.pk)
            context["people"] = rows.filter(name__icontains=words)[:8]
        else:
            channel = self.channel or Channel.EMAIL
            context["replies"] = replies_for(self.lead, channel, self.user, words)
        return render(request, "channels/inbox/_suggestions.html", context)


def thread_context(thread: Thread, user: User, place: str) -> dict[str, Any]:
    """What channels/inbox/_thread.html names."""
    return {
        "pulse": thread.pulse,
        **composer_context(thread, user, place, mode=thread.channel),
    }


def composer_context(
    thread: Thread,
    user: User,
    place: str,
    *,
    mode: str,
    form: ServiceForm | None = None,
    initial: dict[str, Any] | None = None,
    held: Any = (),
) -> dict[str, Any]:
    """What channels/inbox/_composer.html names.

    Args:
        initial: what was typed before the channel was switched.
        held: what came in meanwhile, for which the message was held back.
    """
    lead, window = thread.lead, thread.window
    reachable = reachable_channels(thread)
    needs_template = mode != NOTE and not window.is_open
    address = next(iter(addresses_of(lead, thread.channel)), "")
    return {
        "lead": lead,
        "thread": thread,
        "place": place,
        "mode": mode,
        "shown": thread.channel,
        "form": form or _empty_form(thread, mode, initial),
        "channels": reachable,
        "can_write": mode == NOTE or thread.channel in reachable,
        "held": held,
        "key": new_key(),
        "seen": max([thread.seen, *(entry.key for entry in held)]),
        "templates": approved_templates(lead, mode, user) if needs_template else [],
        "needs_template": needs_template,
        "refusal": why_not_now(thread, address) if mode != NOTE else None,
        "limits": file_limits(),
    }


def _empty_form(thread: Thread, mode: str, initial: dict[str, Any] | None) -> ServiceForm:
    if mode == NOTE:
        return TeamNoteForm(initial=initial)
    typed = {name: text for name, text in (initial or {}).items() if text}
    values = {**first_values(thread), **typed}
    return ComposerForm(initial=values, lead=thread.lead, channel=thread.channel)


def chosen_template(template_id: str) -> MessageTemplate:
    """The template that a form names; an unknown one is nobody's."""
    try:
        template: MessageTemplate = MessageTemplate.objects.get(pk=UUID(template_id))
    except (ValueError, MessageTemplate.DoesNotExist):
        text = _("This template is not there any more.")
        raise ValidationError({"template": text}) from None
    return template


def take_in_pasted(lead: Lead, channel: str, body: str) -> None:
    """Keep what a lead answered where no program reads along."""
    if channel != Channel.LINKEDIN:
        raise ValidationError(_("What they write on this channel comes in by itself."))
    if not body.strip():
        raise ValidationError({"body": _("Paste what they answered.")})
    address = next(iter(addresses_of(lead, channel)), None)
    if address is None:
        raise ValidationError({"channel": NO_ADDRESS[Channel.LINKEDIN]})
    receive_message(lead, channel=channel, address=address, body=body)


def written_words(mode: str, given: Any) -> str:
    """What a toast says once it is done."""
    if given.get("pasted"):
        return _("The answer was kept.")
    if mode == Channel.LINKEDIN:
        return _("The message is prepared: send it, then say so.")
    return _("The message is on its way.")
