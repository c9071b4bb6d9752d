"""The forms of the autopilot's pages."""

from collections.abc import Mapping
from typing import Any

import pydantic
from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from channels.autopilot.limits import FOR_IT, TOPICS, Limits
from channels.autopilot.models import Mode, Policy
from channels.autopilot.policies import Actions
from leads.forms import ServiceForm

LIMITS = [
    "weekdays",
    "opens",
    "closes",
    "per_day",
    "topics",
    "least_confidence",
    "own_words",
    "first_contact",
    "hold_seconds",
    "good_for_hours",
]
ACTIONS = ["drafts", "proposes", "qualifies", "imports"]


class DraftForm(ServiceForm):
    """A draft in the editor; the service says what is wrong with it."""

    revision = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    subject = forms.CharField(label=_("Subject"), max_length=200, required=False)
    body = forms.CharField(label=_("Text"), widget=forms.Textarea({"rows": 10}), strip=False)


class RuleForm(ServiceForm):
    """What the autopilot may do, in the tenant or in one of its channels."""

    mode = forms.ChoiceField(
        label=_("How much is left to it"),
        choices=Mode.choices,
        widget=forms.RadioSelect,
        help_text=_(
            "Drafts only: somebody checks every text in the editor. With approval: one key sends"
            " it. By itself: what passes all limits goes out; the rest waits for you."
        ),
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=_("On"),
        choices=[(str(number), name) for number, name in WEEKDAYS.items()],
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    opens = forms.TimeField(label=_("From"), widget=forms.TimeInput({"type": "time"}))
    closes = forms.TimeField(
        label=_("Until"),
        widget=forms.TimeInput({"type": "time"}),
        help_text=_("In the time zone of your team."),
    )
    per_day = forms.IntegerField(
        label=_("Messages a day"),
        min_value=0,
        max_value=1000,
        help_text=_("That go out without a person, in all conversations together."),
    )
    topics = forms.MultipleChoiceField(
        label=_("Topics"),
        choices=[(topic.value, TOPICS[topic]) for topic in FOR_IT],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("Prices, contracts and complaints always wait for a person."),
    )
    least_confidence = forms.IntegerField(
        label=_("Confidence at least (%)"),
        min_value=0,
        max_value=100,
        help_text=_("The share of what a draft claims that your team has said itself."),
    )
    own_words = forms.BooleanField(
        label=_("Only sentences that your team has written"),
        required=False,
        help_text=_(
            "In a canned reply, or to the same person. Without it, sentences of the model's own go"
            " out, too: numbers, names and promises in them are checked, what they say otherwise is"
            " not."
        ),
    )
    first_contact = forms.BooleanField(
        label=_("It may answer people to whom nobody of your team has written yet"), required=False
    )
    hold_seconds = forms.IntegerField(
        label=_("Seconds to stop it"),
        min_value=10,
        max_value=3600,
        help_text=_("Before anything goes out by itself."),
    )
    good_for_hours = forms.IntegerField(
        label=_("Drafts are good for (hours)"), min_value=1, max_value=720
    )

    def __init__(self, *args: Any, policy: Policy | None = None, **kwargs: Any) -> None:
        limits = Limits.model_validate(policy.limits if policy else {})
        given = limits.model_dump() | {"mode": policy.mode if policy else Mode.OFF}
        given |= {
            "least_confidence": round(limits.least_confidence * 100),
            "weekdays": [str(day) for day in sorted(limits.weekdays)],
            "topics": [topic.value for topic in limits.topics],
        }
        super().__init__(*args, **kwargs | {"initial": given | kwargs.get("initial", {})})

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        """Within what it may send by itself."""
        return [self[name] for name in LIMITS]

    def clean(self) -> dict[str, Any]:
        """With `limits`, as the service takes them."""
        given = super().clean() or {}
        if not self.errors:
            given["limits"] = self._limits(given)
        return given

    def _limits(self, given: Mapping[str, Any]) -> Limits | None:
        values = {name: given[name] for name in LIMITS} | {
            "least_confidence": given["least_confidence"] / 100,
            "weekdays": frozenset(given["weekdays"]),
            "topics": frozenset(given["topics"]),
        }
        if given["opens"] >= given["closes"]:
            self.add_error("closes", _("It has to begin before it ends."))
            return None
        try:
            return Limits.model_validate(values)
        except pydantic.ValidationError as error:
            raise ValidationError([each["msg"] for each in error.errors()]) from None


class TenantRuleForm(RuleForm):
    """The tenant's own rule, which says too what is done without anybody asking."""

    drafts = forms.BooleanField(
        label=_("Draft a reply to each message, where it is not off"), required=False
    )
    proposes = forms.BooleanField(
        label=_("Propose the next step after each message, where it is not off"), required=False
    )
    qualifies = forms.BooleanField(label=_("Qualify new leads by the criteria"), required=False)
    imports = forms.BooleanField(
        label=_("Imported leads, too"),
        required=False,
        help_text=_("An import of thousands of leads asks the model thousands of times."),
    )
    criteria = forms.CharField(
        label=_("Criteria"),
        widget=forms.Textarea({"rows": 5}),
        required=False,
        help_text=_("One a line, such as “Has more than 50 employees”. Twelve at most."),
    )

    def __init__(self, *args: Any, policy: Policy | None = None, **kwargs: Any) -> None:
        actions = Actions.model_validate(policy.actions if policy else {})
        initial = {name: getattr(actions, name) for name in ACTIONS}
        initial["criteria"] = policy.criteria if policy else ""
        super().__init__(*args, policy=policy, **kwargs | {"initial": initial})
        self.is_held = actions.is_held

    @property
    def action_fields(self) -> list[forms.BoundField]:
        """What it does by itself."""
        return [self[name] for name in (*ACTIONS, "criteria")]

    @property
    def actions(self) -> Actions:
        """What it does by itself, as the service takes it."""
        given = {name: self.cleaned_data[name] for name in ACTIONS}
        return Actions(**given, is_held=self.is_held)
