"""The forms of steps: each kind reads what people type into a step of its document.

That of branches stands in `branch_forms`.
"""

from collections.abc import Mapping
from typing import Any

import pydantic
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, MessageTemplate
from channels.queries import templates_for
from channels.sequences.conditions import Operator
from channels.sequences.documents import (
    Document,
    LinkedInStep,
    MessageStep,
    Step,
    TaskStep,
    Wait,
    WaitStep,
)
from channels.sequences.variant_forms import (
    MOST_VARIANTS,
    VariantFormSet,
    shown_variant,
    with_variant,
    without_variant,
)
from leads.forms import ServiceForm

# Unit and whether it is working time, as one choice.
UNITS = [
    ("days:working", _("working days")),
    ("days:", _("days")),
    ("hours:working", _("working hours")),
    ("hours:", _("hours")),
    ("minutes:", _("minutes")),
]
OPERATORS = [
    (Operator.IS.value, _("is")),
    (Operator.IS_NOT.value, _("is not")),
    (Operator.CONTAINS.value, _("contains")),
    (Operator.ABOVE.value, _("is above")),
    (Operator.BELOW.value, _("is below")),
    (Operator.KNOWN.value, _("is known")),
    (Operator.UNKNOWN.value, _("is not known")),
]


class StepForm(ServiceForm):
    """What a step says, and the revision of the draft that its writer has seen."""

    revision = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, step: Step, document: Document, revision: int, **kwargs: Any
    ) -> None:
        # The step and its document as they were when the form was opened.
        self.step, self.document = step, document
        kwargs["initial"] = {"revision": revision, **self.initial_of(step)}
        # Several steps may be open on a page.
        kwargs["auto_id"] = self.ids = f"step-{step.key}-%s"
        super().__init__(*args, **kwargs)

    def initial_of(self, step: Any) -> dict[str, Any]:
        """What the form begins with."""
        raise NotImplementedError

    def changes(self) -> dict[str, Any]:
        """The fields of the step that it says; called when the form is valid."""
        raise NotImplementedError

    def read(self) -> Step:
        """The step as it is typed.

        Raises:
            ValidationError: something in it cannot be.
        """
        try:
            read: Step = type(self.step).model_validate({**dict(self.step), **self.changes()})
        except pydantic.ValidationError as error:
            raise ValidationError([_in_words(problem) for problem in error.errors()]) from None
        return read

    def show_revision(self, revision: int) -> None:
        """Let the next try overwrite the draft as it is now."""
        self.data = {**self.data.dict(), "revision": str(revision)}  # type: ignore[attr-defined]


class WaitForm(StepForm):
    """How long nothing happens."""

    amount = forms.IntegerField(label=_("How long"), min_value=1, max_value=600_000)
    unit = forms.ChoiceField(
        label=_("Unit"),
        choices=UNITS,
        help_text=_(
            "Working time passes while the calendar is open; three working days later is the third"
            " open day after it, at the same time of the day."
        ),
    )

    def initial_of(self, step: WaitStep) -> dict[str, Any]:
        return shown_wait(step.wait)

    def changes(self) -> dict[str, Any]:
        return {"wait": read_wait(self.cleaned_data)}


class TaskForm(StepForm):
    """What somebody of the team is to do."""

    task_kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[
            ("call", _("Call")),
            ("email", _("E-mail")),
            ("linkedin", _("LinkedIn")),
            ("todo", _("To do")),
        ],
    )
    title = forms.CharField(label=_("What is to be done"), max_length=200, required=False)
    body = forms.CharField(
        label=_("Notes"), max_length=10_000, required=False, widget=forms.Textarea({"rows": 3})
    )
    due_amount = forms.IntegerField(label=_("Time for it"), min_value=0, max_value=600_000)
    due_unit = forms.ChoiceField(label=_("Unit"), choices=UNITS)
    is_waited_for = forms.BooleanField(
        label=_("The next step waits until it is done or skipped"), required=False
    )

    def initial_of(self, step: TaskStep) -> dict[str, Any]:
        own = step.model_dump(include={"task_kind", "title", "body", "is_waited_for"})
        return {**own, **shown_wait(step.due, "due_")}

    def changes(self) -> dict[str, Any]:
        own = ("task_kind", "title", "body", "is_waited_for")
        due = read_wait(self.cleaned_data, "due_")
        return {**{name: self.cleaned_data[name] for name in own}, "due": due}


class VariantsForm(StepForm):
    """A step that writes: its texts stand in `variants`.

    Buttons that change the form, and save nothing, name what they do in `act`: `add`, `drop` with
    the number of a text, `fill` with the template that `from_template` chooses, `free` to write
    anew what was a vendor's template.
    """

    from_template = forms.ModelChoiceField[MessageTemplate](
        None,
        label=_("Put a template in"),
        required=False,
        empty_label=_("Choose a template"),
        help_text=_("It is copied: what is changed there later changes nothing here."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        templates = templates_for(self.shown_channel)
        self.fields["from_template"].queryset = templates  # type: ignore[attr-defined]
        shown = [shown_variant(each) for each in self.step.variants]  # type: ignore[union-attr]
        given: dict[str, Any] = {"data": self.data} if self.is_bound else {"initial": shown}
        self.variants: Any = VariantFormSet(prefix="variant", auto_id=self.ids, **given)

    @property
    def shown_channel(self) -> str:
        """The channel as it is chosen in the form."""
        return Channel.LINKEDIN

    def is_valid(self) -> bool:
        """Whether the step and all its texts can be read."""
        # Both are asked, so that all errors are shown.
        return all([super().is_valid(), self.variants.is_valid()])

    def changes(self) -> dict[str, Any]:
        channel = self.shown_channel
        return {"variants": tuple(each.read(channel) for each in self.variants)}

    def acted(self, act: str) -> Mapping[str, Any] | None:
        """The form's data after a button was pressed that saves nothing; None: it saves."""
        verb, _colon, given = act.partition(":")
        number = int(given) if given.isdecimal() and len(given) < 4 else 0
        data = self.data.dict()  # type: ignore[attr-defined]
        count = self.variants.total_form_count()
        match verb:
            case "add" if count < MOST_VARIANTS:
                return with_variant(data, count)
            case "drop" if count > 1:
                return without_variant(data, count, number)
            case "fill":
                return self._filled(data, number)
            case "free":
                return {**data, f"variant-{number}-vendor": ""}
        return None

    def _filled(self, data: dict[str, Any], number: int) -> dict[str, Any]:
        offered = self.fields["from_template"].queryset  # type: ignore[attr-defined]
        chosen = str(data.get("from_template", ""))
        template = next((each for each in offered if str(each.pk) == chosen), None)
        if template is None:
            return data
        vendor = f"{template.vendor_name} {template.vendor_language}"
        filled = {
            "body": template.body,
            "subject": template.subject if self.shown_channel == Channel.EMAIL else "",
            "vendor": vendor if template.vendor_name else "",
        }
        return {**data, **{f"variant-{number}-{name}": text for name, text in filled.items()}}


class MessageForm(VariantsForm):
    """A message on a channel."""

    channel = forms.ChoiceField(
        label=_("Channel"), choices=[(c.value, c.label) for c in (Channel.EMAIL, Channel.WHATSAPP)]
    )
    is_new_thread = forms.BooleanField(
        label=_("Begin a new thread with it"),
        required=False,
        help_text=_("Else it goes on in the thread of the mail before it."),
    )
    field_order = ("channel",)

    @property
    def shown_channel(self) -> str:
        """The channel as it is chosen in the form."""
        chosen = self.data.get("channel") if self.is_bound else self.initial["channel"]
        return str(chosen) if chosen in Channel.values else Channel.EMAIL.value

    def initial_of(self, step: MessageStep) -> dict[str, Any]:
        return {"channel": step.channel, "is_new_thread": step.is_new_thread}

    def changes(self) -> dict[str, Any]:
        own = {name: self.cleaned_data[name] for name in ("channel", "is_new_thread")}
        return {**own, **super().changes()}


class LinkedInForm(VariantsForm):
    """A message that somebody sends by hand."""

    def initial_of(self, step: LinkedInStep) -> dict[str, Any]:
        return {}


def shown_wait(wait: Wait, prefix: str = "") -> dict[str, Any]:
    """A time to wait, as its two fields begin."""
    unit = f"{wait.unit.value}:{'working' if wait.is_working else ''}"
    known = unit if unit in dict(UNITS) else f"{wait.unit.value}:"
    return {f"{prefix}amount": wait.amount, f"{prefix}unit": known}


def read_wait(given: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A time to wait, as its two fields say it."""
    unit, _colon, working = given[f"{prefix}unit"].partition(":")
    return {"amount": given[f"{prefix}amount"], "unit": unit, "is_working": bool(working)}


def _in_words(problem: Any) -> str:
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    return str(_("This value cannot be used."))
