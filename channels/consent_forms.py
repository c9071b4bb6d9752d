"""The forms of a lead's page about consent."""

from zlib import crc32

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, LawfulBasis
from leads.forms import ServiceForm


class AddressForm(ServiceForm):
    """One of a lead's addresses."""

    channel = forms.ChoiceField(choices=Channel.choices, widget=forms.HiddenInput)
    address = forms.CharField(max_length=254, widget=forms.HiddenInput)


class GrantForm(AddressForm):
    """That they may be written to, and why."""

    basis = forms.ChoiceField(label=_("Lawful basis"), choices=LawfulBasis.choices)
    words = forms.CharField(
        label=_("What shows it"),
        max_length=2000,
        widget=forms.Textarea({"rows": 2}),
        help_text=_(
            "Such as: said so on the phone on 3 March; form on the website, with its date."
        ),
    )


class WithdrawForm(AddressForm):
    """That they do not want to be written to."""

    words = forms.CharField(
        label=_("How they said it"),
        max_length=2000,
        required=False,
        widget=forms.Textarea({"rows": 2}),
    )


FORMS: dict[str, type[AddressForm]] = {"grant": GrantForm, "withdraw": WithdrawForm}


def forms_of(channel: str, address: str) -> dict[str, AddressForm]:
    """The forms of an address, by name."""
    initial = {"channel": channel, "address": address}
    return {
        name: kind(initial=initial, auto_id=auto_id(name, channel, address))
        for name, kind in FORMS.items()
    }


def posted_form(name: str, given: QueryDict) -> AddressForm:
    """A form as somebody has filled it in."""
    place = given.get("channel", ""), given.get("address", "")
    return FORMS[name](given, auto_id=auto_id(name, *place))


def auto_id(name: str, channel: str, address: str) -> str:
    """What the ids of a form's fields look like: another one for each form of a page."""
    return f"{name}-{crc32(f'{channel}:{address}'.encode()):08x}-%s"
