"""The web's forms for messages, notes and the inbox."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from channels.files import complaints_about
from channels.inbox import ANY, VIEWS, Wanted
from channels.models import Account, Channel, Conversation
from channels.queries import addresses_of
from channels.templating import PLACEHOLDER, normal_name
from channels.transports import File
from channels.variables import is_known, names_in_words
from leads.forms import ServiceForm, TagsField
from leads.models import Lead
from salesflow.accounts.models import User
from salesflow.accounts.queries import team_members


class FilesInput(forms.FileInput):
    """Takes several files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Files to be sent along; how much they may be is said before any is read."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[File]:
        """The files with their data.

        Raises:
            ValidationError: naming those that are too large, too many or empty.
        """
        given = data or []
        if wrong := complaints_about([(file.name, file.size) for file in given]):
            raise forms.ValidationError(wrong)
        return [File(file.name, "", file.read(), size=file.size) for file in given]


class ComposerForm(ServiceForm):
    """A message to a lead on one channel; what the channel does not know is not asked for."""

    account = forms.ModelChoiceField[Account](None, label=_("From"), required=False)
    to_address = forms.ChoiceField(label=_("To"), required=False)
    subject = forms.CharField(label=_("Subject"), max_length=200, required=False)
    cc = TagsField(label=_("Copy to"), required=False)
    body = forms.CharField(label=_("Message"), widget=forms.Textarea, required=False)
    files = FilesField(label=_("Files"), required=False)  # type: ignore[assignment]

    def __init__(self, *args: Any, lead: Lead, channel: Channel, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        accounts = Account.objects.filter(channel=channel, is_active=True)
        addresses = addresses_of(lead, channel)
        fields["account"].queryset = accounts
        fields["account"].empty_label = None
        fields["to_address"].choices = [(address, address) for address in addresses]
        if len(accounts) < 2:
            del fields["account"]
        if len(addresses) < 2:
            # One address: nothing to choose.
            del fields["to_address"]
        if channel != Channel.EMAIL:
            del fields["subject"], fields["cc"]

    def clean_body(self) -> str:
        """Refuse what was to be filled in and was not."""
        body: str = self.cleaned_data["body"]
        if names := unfilled(body):
            reason = _("Fill in %(names)s first.")
            raise forms.ValidationError(reason, params={"names": names_in_words(names)})
        return body


class TeamNoteForm(ServiceForm):
    """A note for the team; the service says how long it may be."""

    body = forms.CharField(label=_("Note"), widget=forms.Textarea, required=False)


class SnoozeForm(ServiceForm):
    """Until when a conversation is hidden, in the time of whoever asks."""

    until = forms.DateTimeField(label=_("Until"))


class AssigneeForm(ServiceForm):
    """Who takes care of a conversation."""

    assignee = forms.ModelChoiceField[User](None, label=_("Assignee"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].queryset = team_members()  # type: ignore[attr-defined]


class InboxForm(forms.Form):
    """What the inbox lists. What cannot be read is no filter."""

    q = forms.CharField(label=_("Search"), max_length=200, required=False)
    view = forms.ChoiceField(choices=list(VIEWS.items()), required=False)
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[*Conversation.State.choices, (ANY, _("All states"))],
    )
    channel = forms.ChoiceField(
        label=_("Channel"), required=False, choices=[("", _("All channels")), *Channel.choices]
    )
    assignee = forms.TypedChoiceField(
        label=_("Assignee"), required=False, coerce=int, empty_value=None
    )
    unread = forms.BooleanField(label=_("Unread"), required=False)

    def __init__(self, *args: Any, team: Iterable[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(str(person.pk), str(person)) for person in team]
        self.fields["assignee"].choices = [("", _("Everybody")), *people]  # type: ignore[attr-defined]

    @property
    def wanted(self) -> Wanted:
        """What `channels.inbox` takes. A search looks everywhere, unless it is told where."""
        self.is_valid()
        given = self.cleaned_data
        words = given.get("q", "")
        everywhere = ANY if words else Conversation.State.OPEN
        return Wanted(
            view=given.get("view") or "all",
            state=given.get("state") or everywhere,
            channel=given.get("channel", ""),
            assignee=given.get("assignee"),
            unread=given.get("unread", False),
            words=words,
        )


def unfilled(text: str) -> list[str]:
    """The variables that stand in a text as such, whatever other braces it has."""
    insides = (match[1].partition("|")[0] for match in PLACEHOLDER.finditer(text))
    return list(dict.fromkeys(filter(is_known, map(normal_name, insides))))
