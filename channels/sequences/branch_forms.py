"""The form of a branch: a question, and what follows from it."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from channels.sequences.conditions import Operator, Signal
from channels.sequences.documents import BranchStep, Did, LinkedInStep, MessageStep, Says, walk
from channels.sequences.step_forms import OPERATORS, UNITS, StepForm, read_wait, shown_wait
from leads.forms import StageField
from leads.queries import lead_sources, pipelines

SAYS, STAGE, SOURCE, TAG = "says", "stage", "source", "tag"
QUESTIONS = [
    (SAYS, _("A field of the lead")),
    (STAGE, _("The lead's stage")),
    (SOURCE, _("Where the lead came from")),
    (TAG, _("A tag of the lead")),
    (Signal.CLICKED.value, _("They clicked on a link")),
    (Signal.OPENED.value, _("They opened a mail")),
    (Signal.REPLIED.value, _("They replied")),
]
# The field of the form in which each question of what is known finds its answer.
ANSWERS = {SAYS: "value", STAGE: "stage", SOURCE: "source", TAG: "value"}
VALUELESS = (Operator.KNOWN, Operator.UNKNOWN)
OF_STAGES = (Operator.IS, Operator.IS_NOT)


class BranchForm(StepForm):
    """A question, and what follows from it."""

    question = forms.ChoiceField(label=_("If"), choices=QUESTIONS)
    name = forms.CharField(
        label=_("Field"),
        max_length=100,
        required=False,
        widget=forms.TextInput({"list": "lead-fields"}),
    )
    operator = forms.ChoiceField(label=_("how"), choices=OPERATORS, required=False)
    value = forms.CharField(label=_("what"), max_length=200, required=False)
    stage = StageField(label=_("Stage"), required=False, empty_label=_("Choose a stage"))
    source = forms.ChoiceField(label=_("Source"), required=False)
    asked = forms.ChoiceField(label=_("Of which message"), required=False)
    within_amount = forms.IntegerField(
        label=_("Wait for it up to"),
        min_value=0,
        max_value=600_000,
        required=False,
        help_text=_("0: it is asked once, when the step comes."),
    )
    within_unit = forms.ChoiceField(label=_("Unit"), choices=UNITS)
    then_ends = forms.BooleanField(
        label=_("If so, the sequence ends behind these steps"), required=False
    )
    otherwise_ends = forms.BooleanField(
        label=_("If not, the sequence ends behind these steps"), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        messages = [
            (str(step.key), _title(number, step))
            for number, step in enumerate(walk(self.document.steps), start=1)
            if isinstance(step, MessageStep | LinkedInStep)
        ]
        fields: dict[str, Any] = self.fields
        fields["asked"].choices = [("", _("any of this sequence")), *messages]
        fields["stage"].offer(list(pipelines()))
        # One that no lead has any more stays chosen.
        sources = dict.fromkeys(filter(None, [*lead_sources(), self.initial.get("source")]))
        fields["source"].choices = [("", _("Choose a source")), *((each, each) for each in sources)]

    def initial_of(self, step: BranchStep) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "then_ends": step.then.ends,
            "otherwise_ends": step.otherwise.ends,
            **shown_wait(step.within, "within_"),
        }
        match step.condition:
            case Says(name=name, operator=operator, value=value):
                return {**shown, **_shown_says(name, operator, value)}
            case Did(signal=signal, step=asked):
                return {**shown, "question": signal.value, "asked": str(asked or "")}

    def clean(self) -> dict[str, Any]:
        """What is asked about has a name, and something to compare it with."""
        given = super().clean() or self.cleaned_data
        question, operator = given.get("question"), given.get("operator") or Operator.IS
        if question == SAYS and not given.get("name"):
            self.add_error("name", _("Say which field."))
        if question == STAGE and operator not in OF_STAGES:
            self.add_error("operator", _("A lead is in a stage, or is not."))
        answer = ANSWERS.get(question or "")
        if answer and operator not in VALUELESS and not given.get(answer):
            self.add_error(answer, _("Say what to compare with."))
        return given

    def changes(self) -> dict[str, Any]:
        given, step = self.cleaned_data, self.step
        assert isinstance(step, BranchStep)
        return {
            "condition": self._condition(),
            "within": read_wait({**given, "within_amount": given["within_amount"] or 0}, "within_"),
            "then": step.then.model_copy(update={"ends": given["then_ends"]}),
            "otherwise": step.otherwise.model_copy(update={"ends": given["otherwise_ends"]}),
        }

    def _condition(self) -> Did | Says:
        given, question = self.cleaned_data, self.cleaned_data["question"]
        if question not in ANSWERS:
            asked = UUID(given["asked"]) if given["asked"] else None
            return Did(signal=Signal(question), step=asked)
        operator = Operator(given["operator"] or Operator.IS)
        answer = given[ANSWERS[question]]
        value = "" if operator in VALUELESS else str(answer.pk) if question == STAGE else answer
        name = given["name"].strip() if question == SAYS else question
        return Says(name=name, operator=operator, value=value)


def _shown_says(name: str, operator: Operator, value: str) -> dict[str, Any]:
    question = name if name in ANSWERS else SAYS
    own = {"name": name} if question == SAYS else {}
    return {"question": question, "operator": operator.value, ANSWERS[question]: value, **own}


def _title(number: int, step: MessageStep | LinkedInStep) -> str:
    subject = step.variants[0].subject or step.variants[0].body
    return f"{number}. {subject[:60]}"
