"""The web's forms about sequences, but for those of their steps: see `step_forms`."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from channels.models import Account
from channels.sequences import models
from channels.sequences.asking import FIELDS, OWN
from channels.sequences.conditions import Operator
from channels.sequences.documents import Document, Rules, Says
from channels.sequences.models import EntryRule, WorkCalendar
from channels.sequences.rules import TRIGGERS, conditions_of
from channels.sequences.step_forms import OPERATORS
from leads.forms import OwnerField, ServiceForm, StageField
from leads.queries import lead_sources, pipelines


class NameForm(ServiceForm):
    """What a sequence is called; the service says whether it may be."""

    name = forms.CharField(label=_("Name"), max_length=100)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs |= {"autocomplete": "off", "data-focus": ""}


class SettingsForm(ServiceForm):
    """All of a version that is no step."""

    revision = forms.IntegerField(widget=forms.HiddenInput)
    name = forms.CharField(label=_("Name"), max_length=100)
    calendar_id = forms.ModelChoiceField[WorkCalendar](
        None,
        label=_("Calendar"),
        required=False,
        empty_label=_("The team's default calendar"),
        help_text=_("Its hours are in the time zone of whoever is written to."),
    )
    account_cap = forms.IntegerField(
        label=_("Messages a day through one account"),
        required=False,
        min_value=1,
        max_value=100_000,
        help_text=_("What does not fit goes out on the next day. Empty: no limit."),
    )
    sender_cap = forms.IntegerField(
        label=_("Messages a day in one person's name"),
        required=False,
        min_value=1,
        max_value=100_000,
        help_text=_("Empty: no limit."),
    )
    gap = forms.IntegerField(
        label=_("Seconds between two messages of an account"), min_value=0, max_value=86_400
    )
    thread = forms.ChoiceField(
        label=_("Follow-up mails"),
        choices=[("one", _("go on in the thread of the first one")), ("each", _("begin anew"))],
    )
    is_tracked = forms.BooleanField(
        label=_("Note who opens mails and clicks on links"),
        required=False,
        help_text=_(
            "Only mails to people whose consent is recorded tell it (GDPR, ePrivacy); shares are of"
            " those alone. Programs that open mails by themselves are told apart, so a mail may"
            " have been read that counts as not opened."
        ),
    )
    re_enrol_after = forms.IntegerField(
        label=_("Days after which somebody may come in again"),
        required=False,
        min_value=0,
        max_value=3650,
        help_text=_("Counted from the day on which they finished. Empty: never."),
    )
    decide_at = forms.IntegerField(
        label=_("Messages of each variant at which a comparison is decided"),
        min_value=20,
        max_value=100_000,
        help_text=_("Set it before the first one goes out: who looks early finds winners by luck."),
    )
    on_reply = forms.BooleanField(label=_("They write to us, on any channel"), required=False)
    on_meeting = forms.BooleanField(label=_("A meeting is booked"), required=False)
    on_company_reply = forms.BooleanField(
        label=_("A colleague of theirs writes to us"), required=False
    )

    def __init__(
        self, *args: Any, sequence: models.Sequence, document: Document, revision: int, **kw: Any
    ) -> None:
        self.document = document
        initial = {
            **document.model_dump(mode="json", exclude={"steps", "rules"}),
            **document.rules.model_dump(),
            "name": sequence.name,
            "revision": revision,
        }
        super().__init__(*args, **{**kw, "initial": initial})
        self.fields["calendar_id"].queryset = WorkCalendar.objects.all()  # type: ignore[attr-defined]

    def change(self, document: Document) -> Document:
        """The document with these settings."""
        given = dict(self.cleaned_data)
        calendar = given.pop("calendar_id")
        rules = {name: given.pop(name) for name in Rules.model_fields}
        kept = {name: given[name] for name in given if name in Document.model_fields}
        changed = {**kept, "rules": Rules(**rules), "calendar_id": calendar and calendar.pk}
        return Document.model_validate({**dict(document), **changed})

    def show_revision(self, revision: int) -> None:
        """Let the next try overwrite the settings as they are now."""
        self.data = {**self.data.dict(), "revision": str(revision)}  # type: ignore[attr-defined]

    @property
    def leaving_fields(self) -> list[forms.BoundField]:
        """What ends a sequence early."""
        return [self[name] for name in Rules.model_fields]

    @property
    def pace_fields(self) -> list[forms.BoundField]:
        """When messages go out, and how many."""
        return [self[name] for name in ("calendar_id", "account_cap", "sender_cap", "gap")]

    @property
    def writing_fields(self) -> list[forms.BoundField]:
        """How it is written, and what is noted of it."""
        return [self[name] for name in ("thread", "re_enrol_after", "decide_at", "is_tracked")]


class RuleForm(ServiceForm):
    """What takes leads in by itself; conditions that it does not show are kept."""

    trigger = forms.ChoiceField(
        label=pgettext_lazy("a trigger", "When"), choices=list(TRIGGERS.items())
    )
    stage = StageField(label=_("Stage"), required=False, empty_label=_("Any stage"))
    source = forms.ChoiceField(label=_("Source"), required=False)
    tag = forms.CharField(label=_("Tag"), max_length=50, required=False)
    field = forms.ChoiceField(
        label=_("And"),
        required=False,
        choices=[("", _("nothing else")), *((n, w) for n, w in FIELDS.items() if n not in OWN)],
    )
    operator = forms.ChoiceField(label=_("how"), choices=OPERATORS, required=False)
    value = forms.CharField(label=_("what"), max_length=200, required=False)
    sender = OwnerField()
    takes_imports = forms.BooleanField(label=_("Also imported leads"), required=False)
    is_active = forms.BooleanField(label=_("In use"), required=False)

    def __init__(self, *args: Any, rule: EntryRule, **kwargs: Any) -> None:
        self.rule = rule
        own, others = _sorted(conditions_of(rule))
        shown, self.hidden = others[:1], others[1:]
        initial: dict[str, Any] = {
            "trigger": rule.trigger,
            "sender": rule.sender_id,
            "takes_imports": rule.takes_imports,
            "is_active": rule.is_active,
            **{each.name: each.value for each in own},
        }
        for each in shown:
            initial |= {"field": each.name, "operator": each.operator, "value": each.value}
        super().__init__(*args, **{**kwargs, "initial": initial})
        fields: dict[str, Any] = self.fields
        fields["stage"].offer(list(pipelines()))
        sources = [("", _("Any source")), *((name, name) for name in lead_sources())]
        fields["source"].choices = sources
        fields["sender"].offer_team()
        fields["sender"].label = _("In whose name")
        fields["sender"].empty_label = _("The lead's owner")

    @property
    def given(self) -> dict[str, Any]:
        """What the service takes."""
        given = dict(self.cleaned_data)
        stage = given.pop("stage")
        own = {
            "stage": str(stage.pk) if stage else "",
            **{n: given.pop(n) for n in ("source", "tag")},
        }
        asked = [Says(name=name, value=value) for name, value in own.items() if value]
        name, operator, value = (given.pop(name) for name in ("field", "operator", "value"))
        if name:
            asked.append(
                Says(name=name, operator=Operator(operator or Operator.IS), value=value.strip())
            )
        conditions = [each.model_dump(mode="json") for each in (*asked, *self.hidden)]
        return {**given, "conditions": conditions}


class EnrolForm(ServiceForm):
    """In whose name leads are written to, and through which account."""

    sender = OwnerField()
    account = forms.ModelChoiceField[Account](
        None,
        label=_("Mails go through"),
        required=False,
        empty_label=_("The account that suits each lead"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["sender"].offer_team()
        fields["sender"].label = _("In whose name")
        fields["sender"].empty_label = _("Each lead's owner")
        fields["account"].queryset = Account.objects.filter(channel="email", is_active=True)


class EnrolLeadForm(ServiceForm):
    """Into which sequence a lead comes."""

    sequence = forms.ModelChoiceField[models.Sequence](None, label=_("Sequence"), empty_label=None)

    def __init__(
        self, *args: Any, known: QuerySet[models.Sequence], under_way: Collection[UUID], **kw: Any
    ) -> None:
        super().__init__(*args, **kw)
        fields: dict[str, Any] = self.fields
        # One that the lead is in is not offered; chosen all the same, it is refused in words.
        self.offered = [(each.pk, each.name) for each in known if each.pk not in under_way]
        fields["sequence"].queryset = known
        fields["sequence"].widget.choices = self.offered


def _sorted(conditions: list[Says]) -> tuple[list[Says], list[Says]]:
    """Those that have a field of their own, each once, and the others."""
    own: dict[str, Says] = {}
    others = []
    for each in conditions:
        is_own = each.name in OWN and each.operator is Operator.IS and each.name not in own
        if is_own:
            own[each.name] = each
        else:
            others.append(each)
    return list(own.values()), others
