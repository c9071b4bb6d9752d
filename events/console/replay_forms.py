"""The forms that start a plan: how something runs, or what is given up."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.models import Replay
from events.replays.actions import HIGHEST_PACE, HIGHEST_STOP_PERCENT, STOP_PERCENT
from events.replays.outlook import (
    HandlerOutlook,
    Outlook,
    handlers_of,
    outlook_of,
    ticked_by_default,
)


class StartForm(forms.Form):
    """Why, at which handlers, how carefully and how fast."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        strip=True,
        help_text=gettext_lazy("Stays on record: what was broken, and what was mended."),
        widget=forms.Textarea(attrs={"rows": 2, "class": "event-input"}),
    )
    handlers = forms.MultipleChoiceField(label=gettext_lazy("Handlers"), required=False)
    again = forms.MultipleChoiceField(label=gettext_lazy("Once more"), required=False)
    has_canary = forms.BooleanField(
        label=gettext_lazy("Canary first: 1, then 10, then 100 events, then the rest"),
        required=False,
        initial=True,
    )
    stop_percent = forms.IntegerField(
        label=gettext_lazy("Stop by itself above … % failures"),
        required=False,
        min_value=0,
        max_value=HIGHEST_STOP_PERCENT,
        initial=STOP_PERCENT,
        help_text=gettext_lazy("Empty: go on whatever fails. A canary always has a limit."),
        widget=forms.NumberInput(attrs={"class": "event-input"}),
    )
    pace = forms.IntegerField(
        label=gettext_lazy("Events per second at most"),
        required=False,
        min_value=1,
        max_value=HIGHEST_PACE,
        help_text=gettext_lazy("Empty: as fast as the workers can."),
        widget=forms.NumberInput(attrs={"class": "event-input"}),
    )

    def __init__(self, data: Any, replay: Replay) -> None:
        super().__init__(data)
        self.replay, self.planned = replay, handlers_of(replay)
        offered = list(filter(self._may_be_ticked, self.planned))
        self._names = {
            "handlers": [each.name for each in offered if each.number],
            "again": [each.name for each in offered if each.succeeded or each.given_up],
        }
        for field, names in self._names.items():
            self.fields[field].choices = [(name, name) for name in names]  # type: ignore[attr-defined]

    def _may_be_ticked(self, handler: HandlerOutlook) -> bool:
        return handler.is_installed

    def clean_again(self) -> list[str]:
        """Those that run once more; without them, something else has to run."""
        again: list[str] = self.cleaned_data["again"]
        if not again and "handlers" in self.cleaned_data and not self.cleaned_data["handlers"]:
            self.add_error("handlers", _("Tick at least one handler."))
        return again

    @property
    def ticked(self) -> list[str]:
        """The handlers that are ticked where they failed, or would be."""
        return self._given("handlers", ticked_by_default(self.planned))

    @property
    def ticked_again(self) -> list[str]:
        """The handlers that are ticked though they have succeeded; none, unless they were named."""
        return self._given("again", self.replay.again)

    def _given(self, field: str, otherwise: list[str]) -> list[str]:
        given = self.data.getlist(field) if self.is_bound else otherwise  # type: ignore[attr-defined]
        return [name for name in given if name in self._names[field]]

    @property
    def reaches_out(self) -> bool:
        """Whether a handler is ticked that replays leave out by default."""
        ticked = {*self.ticked, *self.ticked_again}
        return any(each.is_left_out for each in self.planned if each.name in ticked)

    @property
    def outlook(self) -> Outlook:
        """What would happen, as it is filled in."""
        pace = self.data.get("pace", "") if self.is_bound else ""
        is_number = pace.isascii() and pace.isdigit() and len(pace) < 7
        each_second = int(pace) or None if is_number else None
        return outlook_of(self.replay, self.ticked, each_second, again=self.ticked_again)

    def options(self) -> dict[str, Any]:
        """What `replays.start` takes, of a valid form."""
        given = {**self.cleaned_data, "include_external": self.reaches_out}
        planned = {
            each.name
            for each in self.planned
            if each.number and each.is_meant and (self.reaches_out or not each.is_left_out)
        }
        if set(given["handlers"]) == planned and set(given["again"]) == set(self.replay.again):
            return {**given, "handlers": (), "again": None}
        return given


class GiveUpForm(StartForm):
    """Why, and at which handlers, installed or not: nothing runs, so nobody says how."""

    def __init__(self, data: Any, replay: Replay) -> None:
        super().__init__(data, replay)
        for name in self.fields.keys() - {"reason", "handlers"}:
            del self.fields[name]
        self.fields["reason"].help_text = _("Stays on record, and stands at each of the events.")
        handlers = self.fields["handlers"]
        handlers.required = True
        handlers.error_messages["required"] = _("Tick at least one handler.")

    def _may_be_ticked(self, handler: HandlerOutlook) -> bool:
        return True

    def options(self) -> dict[str, Any]:
        """What `replays.start` takes, of a valid form."""
        return dict(self.cleaned_data)


def form_of(replay: Replay, data: Any = None) -> StartForm:
    """The form that starts this plan, filled in where there is data."""
    return (GiveUpForm if replay.gives_up else StartForm)(data, replay)
