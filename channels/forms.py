"""The web's form for a message."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from channels.queries import addresses_of, channels_of
from leads.forms import ServiceForm
from leads.models import Lead


class MessageForm(ServiceForm):
    """A message to a lead, on one of the channels that reach them."""

    channel = forms.ChoiceField(label=_("Channel"), widget=forms.RadioSelect)
    to_address = forms.ChoiceField(label=_("To"), required=False)
    subject = forms.CharField(label=_("Subject"), max_length=200, required=False)
    body = forms.CharField(label=_("Message"), widget=forms.Textarea)

    def __init__(self, *args: Any, lead: Lead, **kwargs: Any) -> None:
        self.channels = channels_of(lead)
        initial = {"channel": self.channels[0]} if self.channels else {}
        super().__init__(*args, **kwargs | {"initial": initial})
        fields: dict[str, Any] = self.fields
        fields["channel"].choices = [(channel.value, channel.label) for channel in self.channels]
        addresses = {a: a for channel in self.channels for a in addresses_of(lead, channel)}
        fields["to_address"].choices = [("", _("The primary address")), *addresses.items()]
        if len(addresses) == len(self.channels):
            # One address a channel: nothing to choose.
            del fields["to_address"]

    def clean(self) -> dict[str, Any]:
        """Leave out a subject that was typed before another channel was chosen."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("channel") != "email":
            cleaned["subject"] = ""
        return cleaned
