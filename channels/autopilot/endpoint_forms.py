"""The forms of the pages on which endpoints are connected and budgets are set."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from pydantic import SecretStr

from channels.autopilot.budgets import HIGHEST, LIMIT_PLACES
from channels.autopilot.connecting import Entered
from channels.autopilot.endpoints import (
    LONGEST_CALL,
    Settings,
    entered_prices,
    has_key,
    settings_of,
)
from channels.autopilot.models import Endpoint
from channels.autopilot.prices import PLACES, Prices
from channels.settings_fields import KEPT, SecretField
from leads.forms import ServiceForm

CONNECTION = ("name", "base_url", "model", "key", "forget_key", "is_default")
ASKING = ("temperature", "deadline", "silence")
PRICED = ("prompt_price", "cached_price", "completion_price")
QUIET = {"autocomplete": "off", "spellcheck": "false"}


def _price_field(label: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, required=False, min_value=Decimal(0), max_digits=12, decimal_places=PLACES
    )


class EndpointForm(ServiceForm):
    """A model: where it is, how it is asked, what it costs."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("How your team tells this endpoint from others."),
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    base_url = forms.CharField(
        label=_("Address"),
        max_length=500,
        widget=forms.TextInput(QUIET),
        help_text=_("Up to before /chat/completions, such as https://api.openai.com/v1."),
    )
    model = forms.CharField(
        label=_("Model"),
        max_length=100,
        widget=forms.TextInput(QUIET),
        help_text=_("As the vendor calls it, such as gpt-4o-mini."),
    )
    key = SecretField(label=_("Key"), required=False, max_length=1000)
    forget_key = forms.BooleanField(label=_("Forget the key"), required=False)
    is_default = forms.BooleanField(label=_("Ask this model"), required=False, initial=True)
    temperature = forms.FloatField(
        label=_("Temperature"),
        required=False,
        min_value=0,
        max_value=2,
        help_text=_("The lower, the plainer. Empty: as the vendor has it."),
    )
    deadline = forms.FloatField(
        label=_("Longest answer (seconds)"), min_value=5, max_value=LONGEST_CALL
    )
    silence = forms.FloatField(
        label=_("Longest silence (seconds)"),
        min_value=1,
        max_value=LONGEST_CALL,
        help_text=_("Before its first word, and between two of them."),
    )
    prompt_price = _price_field(_("Read"))
    cached_price = _price_field(_("Read from its cache"))
    completion_price = _price_field(_("Written"))

    def __init__(self, *args: Any, endpoint: Endpoint | None = None, **kwargs: Any) -> None:
        self.endpoint = endpoint
        super().__init__(*args, **kwargs | {"initial": _initial(endpoint)})
        fields: dict[str, forms.Field] = self.fields
        is_stored = endpoint is not None and has_key(endpoint)
        if is_stored:
            fields["key"].help_text = KEPT
        for name in _left_out(endpoint, is_stored):
            del fields[name]

    @property
    def connection_fields(self) -> list[forms.BoundField]:
        """Where it is."""
        return self._bound(CONNECTION)

    @property
    def asking_fields(self) -> list[forms.BoundField]:
        """How it is asked."""
        return self._bound(ASKING)

    @property
    def price_fields(self) -> list[forms.BoundField]:
        """What it costs."""
        return self._bound(PRICED)

    def _bound(self, names: tuple[str, ...]) -> list[forms.BoundField]:
        return [self[name] for name in names if name in self.fields]

    def clean(self) -> dict[str, Any]:
        """With what the services take, as `entered`."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            cleaned["entered"] = self._entered(cleaned)
        return cleaned

    def _entered(self, cleaned: dict[str, Any]) -> Entered:
        return Entered(
            name=cleaned.get("name", ""),
            base_url=cleaned.get("base_url", ""),
            model=cleaned.get("model", ""),
            key=_key_in(cleaned),
            settings=Settings(**{name: cleaned[name] for name in ASKING}),
            prices=_prices_in(cleaned),
        )


class BudgetForm(ServiceForm):
    """What may be spent a day."""

    limit = forms.DecimalField(
        label=_("US dollars a day"),
        min_value=Decimal(0),
        max_value=HIGHEST,
        max_digits=8,
        decimal_places=LIMIT_PLACES,
        help_text=_(
            "What does not fit is not asked: it ends “over the budget”. The day is that of your"
            " team’s zone."
        ),
    )


def _initial(endpoint: Endpoint | None) -> dict[str, Any]:
    told = settings_of(endpoint) if endpoint else Settings()
    initial = {name: getattr(told, name) for name in ASKING}
    if endpoint is None:
        return initial
    initial |= {"name": endpoint.name, "base_url": endpoint.base_url, "model": endpoint.model}
    if prices := entered_prices(endpoint):
        initial |= {
            "prompt_price": prices.prompt,
            "cached_price": prices.cached_prompt,
            "completion_price": prices.completion,
        }
    return initial


def _left_out(endpoint: Endpoint | None, is_stored: bool) -> set[str]:
    if endpoint is None:
        return {"forget_key"}
    if endpoint.is_of_installation:
        return set(CONNECTION)
    return {"is_default"} if is_stored else {"is_default", "forget_key"}


def _key_in(cleaned: dict[str, Any]) -> SecretStr | None:
    """The key that was typed; None: the one that is stored stays."""
    if cleaned.get("key"):
        return SecretStr(cleaned["key"])
    return SecretStr("") if cleaned.get("forget_key") else None


def _prices_in(cleaned: dict[str, Any]) -> Prices | None:
    prompt, cached, completion = (cleaned.get(name) for name in PRICED)
    if prompt is None and cached is None and completion is None:
        return None
    if prompt is None or completion is None:
        name = "prompt_price" if prompt is None else "completion_price"
        raise ValidationError({name: _("Enter this price, too, or none of them.")})
    return Prices(prompt, completion, cached)
