"""The forms of the pages on which accounts are connected, edited and tried."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from channels.models import Account, AccountTrial, Channel
from channels.services.accounts import readable_secrets
from channels.settings_fields import form_fields, initial_values, read_settings
from channels.transports import AccountSettings, Transport
from leads.contact_points import normalise
from leads.forms import ServiceForm
from leads.models import ContactPoint

# What stands above a transport's own settings.
OWN = ("name", "address", "is_default")
ADDRESSES = {
    Channel.EMAIL: (_("E-mail address"), _("What the other side sees as the sender.")),
    Channel.WHATSAPP: (_("Phone number"), _("The number as your customers see it.")),
    Channel.LINKEDIN: (_("LinkedIn profile"), _("The profile from which you write.")),
}


class AccountForm(ServiceForm):
    """An account: what it is called, and what its transport has to know."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("How your team tells it from others."),
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    address = forms.CharField(
        max_length=254, required=False, widget=forms.TextInput({"autocomplete": "off"})
    )
    is_default = forms.BooleanField(
        label=_("New conversations begin here"), required=False, initial=True
    )

    def __init__(
        self,
        *args: Any,
        channel: Channel,
        transport: Transport,
        account: Account | None = None,
        **kwargs: Any,
    ) -> None:
        self.channel, self.transport = channel, transport
        self.stored = readable_secrets(account) if account else {}
        known = account.settings if account else {}
        initial = {"name": account.name, "address": account.address} if account else {}
        initial |= initial_values(transport.settings, known)
        super().__init__(*args, **kwargs | {"initial": initial})
        fields: dict[str, Any] = self.fields
        fields["address"].label, fields["address"].help_text = ADDRESSES[channel]
        # A mail without a sender is no mail; other vendors know the account by its settings.
        fields["address"].required = channel == Channel.EMAIL and transport.name != "sandbox"
        if account:
            del fields["is_default"]
        fields |= form_fields(transport.settings, self.stored)

    @property
    def own_fields(self) -> list[forms.BoundField]:
        """What every account has."""
        return [self[name] for name in OWN if name in self.fields]

    @property
    def transport_fields(self) -> list[forms.BoundField]:
        """What this transport has to know."""
        return [field for field in self if field.name not in OWN]

    def clean_address(self) -> str:
        """The address in normal form."""
        given = self.cleaned_data["address"]
        return checked_address(self.channel.contact_kind, given) if given else ""

    def clean(self) -> dict[str, Any]:
        """With the settings, as the transport takes them."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                cleaned["settings"] = read_settings(self.transport.settings, cleaned, self.stored)
            except ValidationError as error:
                self.take_errors(error)
        return cleaned

    @property
    def given(self) -> dict[str, Any]:
        """What the services take."""
        settings: AccountSettings = self.cleaned_data["settings"]
        own = {name: self.cleaned_data[name] for name in OWN if name in self.fields}
        return {**own, "settings": settings}


class TrialForm(ServiceForm):
    """What is to be tried; a message has to go somewhere."""

    kind = forms.ChoiceField(choices=AccountTrial.Kind.choices)
    address = forms.CharField(max_length=254, required=False)


def checked_address(kind: ContactPoint.Kind, given: str) -> str:
    """An address in normal form.

    Raises:
        ValidationError: it is none.
    """
    try:
        return normalise(kind, [given])[0]
    except ValidationError as error:
        raise ValidationError(error.messages) from None
