"""The forms of the pages on which templates are written."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, MessageTemplate
from leads.forms import ServiceForm
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import LANGUAGES

# What concerns only templates that a vendor has to approve.
VENDOR = ("vendor_name", "vendor_language", "vendor_status")


class TemplateForm(ServiceForm):
    """A template; the service says what is wrong with it."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("The same in every language.")
    )
    channel = forms.ChoiceField(
        label=_("Channel"), required=False, choices=[("", _("Every channel")), *Channel.choices]
    )
    language = forms.ChoiceField(label=_("Language"), choices=LANGUAGES)
    shortcut = forms.CharField(
        label=_("Shortcut"),
        max_length=31,
        required=False,
        help_text=_("Typed behind a slash in the composer, it puts the text in."),
    )
    subject = forms.CharField(
        label=_("Subject"), max_length=200, required=False, help_text=_("E-mail only.")
    )
    body = forms.CharField(label=_("Text"), widget=forms.Textarea({"rows": 8}), strip=False)
    is_active = forms.BooleanField(label=_("In use"), required=False, initial=True)
    vendor_name = forms.CharField(
        label=_("Approved as"),
        max_length=512,
        required=False,
        help_text=_("The template's name at WhatsApp. Empty: a canned reply, which needs none."),
    )
    vendor_language = forms.CharField(
        label=_("Language code"), max_length=15, required=False, help_text=_("Such as en_US.")
    )
    vendor_status = forms.ChoiceField(
        label=_("Approval"),
        required=False,
        choices=MessageTemplate.VendorStatus.choices,
        show_hidden_initial=True,
        help_text=_("WhatsApp tells when it decides; what you know already, you can say here."),
    )

    def __init__(self, *args: Any, template: MessageTemplate | None = None, **kwargs: Any) -> None:
        initial = {"language": current_tenant().language}
        if template:
            initial = {name: getattr(template, name) for name in self.base_fields}
        super().__init__(*args, **kwargs | {"initial": initial})
        for name in ("name", "shortcut", "subject", "vendor_name", "vendor_language"):
            self.fields[name].widget.attrs["autocomplete"] = "off"

    @property
    def given(self) -> dict[str, Any]:
        """What the service takes; no decision about approval that nobody has made here: its vendor
        may have made another one since the form was opened."""
        untouched = {"vendor_status"} - set(self.changed_data)
        return {name: v for name, v in self.cleaned_data.items() if name not in untouched}

    @property
    def text_fields(self) -> list[forms.BoundField]:
        """What the template says."""
        return [self["subject"], self["body"]]

    @property
    def own_fields(self) -> list[forms.BoundField]:
        """What it is called, and where it serves."""
        return [self[name] for name in ("name", "channel", "language", "shortcut", "is_active")]

    @property
    def vendor_fields(self) -> list[forms.BoundField]:
        """What its vendor knows of it."""
        return [self[name] for name in VENDOR]


class PreviewForm(forms.Form):
    """A text as it is typed, and for whom it is to be filled in."""

    subject = forms.CharField(max_length=200, required=False)
    body = forms.CharField(max_length=100_000, required=False, strip=False)
    lead = forms.UUIDField(required=False)
