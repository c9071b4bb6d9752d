"""The forms of a step's texts, of which there may be several."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from channels.models import Channel
from channels.sequences.documents import Variant, VendorTemplate

MOST_VARIANTS = 10
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class VariantForm(forms.Form):
    """One of the texts of a step."""

    label = forms.CharField(max_length=20, widget=forms.HiddenInput)
    subject = forms.CharField(label=_("Subject"), max_length=200, required=False)
    body = forms.CharField(
        label=_("Text"),
        max_length=100_000,
        required=False,
        strip=False,
        widget=forms.Textarea({"rows": 7}),
    )
    weight = forms.IntegerField(
        label=_("Share"),
        min_value=0,
        max_value=1000,
        initial=1,
        help_text=_("Beside the shares of the others; 0: nobody gets it any more."),
    )
    # “name language” of the vendor's template that the text is a copy of.
    vendor = forms.CharField(max_length=530, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.vendor_name:
            # What the vendor has approved goes out, whatever would stand here.
            self.fields["body"].widget.attrs["readonly"] = True

    def read(self, channel: str) -> Variant:
        """The text as it is typed, without what a channel does not know."""
        given = dict(self.cleaned_data)
        name, _blank, language = given.pop("vendor").partition(" ")
        is_approved = channel == Channel.WHATSAPP and name and language
        if channel != Channel.EMAIL:
            given["subject"] = ""
        template = VendorTemplate(name=name, language=language) if is_approved else None
        return Variant(**given, template=template)

    @property
    def vendor_name(self) -> str:
        """What the vendor calls the template of the text."""
        return str(self["vendor"].value() or "").partition(" ")[0]


VariantFormSet = forms.formset_factory(
    VariantForm, extra=0, min_num=1, validate_min=True, max_num=MOST_VARIANTS, validate_max=True
)


def shown_variant(variant: Variant) -> dict[str, Any]:
    """A text as its form begins."""
    vendor = variant.template
    own = variant.model_dump(include={"label", "subject", "body", "weight"})
    return {**own, "vendor": f"{vendor.name} {vendor.language}" if vendor else ""}


def with_variant(data: dict[str, Any], count: int) -> dict[str, Any]:
    """With one more text, which begins as the first one; its letter is one that is free."""
    labels = {data.get(f"variant-{number}-label") for number in range(count)}
    label = next(letter for letter in LETTERS if letter not in labels)
    texts = {name: data.get(f"variant-0-{name}", "") for name in ("subject", "body", "vendor")}
    new = {"label": label, "weight": "1", **texts}
    return {
        **data,
        "variant-TOTAL_FORMS": str(count + 1),
        **{f"variant-{count}-{name}": value for name, value in new.items()},
    }


def without_variant(data: dict[str, Any], count: int, gone: int) -> dict[str, Any]:
    """Without the text that has this number."""
    names = ("label", "subject", "body", "weight", "vendor")
    texts = [
        {name: data.get(f"variant-{number}-{name}", "") for name in names}
        for number in range(count)
        if number != gone
    ]
    kept = {name: value for name, value in data.items() if not name.startswith("variant-")}
    management = {"TOTAL_FORMS": str(len(texts)), "INITIAL_FORMS": "0"}
    return {
        **kept,
        **{f"variant-{name}": value for name, value in management.items()},
        **{f"variant-{n}-{name}": text[name] for n, text in enumerate(texts) for name in names},
    }
