"""The web's forms about leads: they read what people type, the services say whether it is right."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from leads.models import Lead, Outcome, Pipeline, Stage
from leads.queries import lead_sources, pipelines
from leads.services import default_currency
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User
from salesflow.accounts.queries import team_members

NOBODY = "nobody"
Choices = list[tuple[Any, Any]]


class ServiceForm(forms.Form):
    """A form whose input a service judges."""

    def take_errors(self, error: ValidationError) -> None:
        """Show what a service said about a field at that field, else at the top."""
        by_field = getattr(error, "error_dict", None) or {None: error}
        for name, errors in by_field.items():
            self.add_error(name if name in self.fields else None, errors)

    def run(self, service: Callable[[], Any]) -> bool:
        """Call `service`; whether it took the input. If not, the form has its errors."""
        try:
            service()
        except ValidationError as error:
            self.take_errors(error)
            return False
        return True


class OwnerField(forms.ModelChoiceField[User]):
    """A member of the team, or nobody."""

    def __init__(self) -> None:
        super().__init__(None, label=_("Owner"), required=False, empty_label=_("Nobody"))

    def offer_team(self) -> None:
        """Offer the current tenant's members."""
        self.queryset = team_members()


class StageField(forms.ModelChoiceField[Stage]):
    """A stage; stages of several pipelines are grouped under their names."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=None, **kwargs)

    def offer(self, pipelines: Sequence[Pipeline], *, but: str = "") -> None:
        """Offer the stages of these pipelines.

        Args:
            but: the kind of stages to leave out.
        """
        self.queryset = Stage.objects.exclude(kind=but)
        groups: Choices = [
            (pipeline.name, [(s.pk, s.name) for s in pipeline.stages.all() if s.kind != but])
            for pipeline in pipelines
        ]
        empty: Choices = [("", self.empty_label)] if self.empty_label else []
        self.widget.choices = empty + (
            groups if len(groups) > 1 else groups[0][1] if groups else []
        )


class LinesField(forms.CharField):
    """Several values, one per line."""

    widget = forms.Textarea(attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false"})

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        text = super().to_python(value) or ""
        return [line.strip() for line in text.splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class TagsField(forms.CharField):
    """Several words, by commas."""

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        text = super().to_python(value) or ""
        return [tag.strip() for tag in text.split(",") if tag.strip()]

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value


class LeadForm(ServiceForm):
    """What a rep knows about a lead."""

    name = forms.CharField(label=_("Name"), max_length=200, required=False)
    company = forms.CharField(label=_("Company"), max_length=200, required=False)
    title = forms.CharField(label=_("Job title"), max_length=200, required=False)
    emails = LinesField(label=_("E-mail addresses"), required=False, help_text=_("One per line."))
    phones = LinesField(label=_("Phone numbers"), required=False, help_text=_("One per line."))
    profiles = LinesField(
        label=_("LinkedIn profiles"), required=False, help_text=_("One per line.")
    )
    value = forms.DecimalField(
        label=_("Value"), required=False, localize=True, max_digits=14, decimal_places=2
    )
    currency = forms.CharField(label=_("Currency"), max_length=3)
    source = forms.CharField(label=_("Source"), max_length=50, required=False)
    tags = TagsField(label=_("Tags"), required=False, help_text=_("Separated by commas."))
    external_id = forms.CharField(
        label=_("External id"),
        max_length=200,
        required=False,
        help_text=_("What another system calls this lead."),
    )
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        required=False,
        help_text=_("Such as Europe/Berlin. Empty: as the country or the phone number tells."),
    )
    country = forms.CharField(
        label=_("Country"), max_length=2, required=False, help_text=_("Two letters, such as DE.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["value"].widget.attrs["inputmode"] = "decimal"
        for name in ("name", "company", "title", "tags", "external_id", "time_zone", "country"):
            self.fields[name].widget.attrs["autocomplete"] = "off"

    @property
    def lead_fields(self) -> dict[str, Any]:
        """What the services call `LeadFields`."""
        given = {name: self.cleaned_data[name] for name in LeadForm.base_fields}
        return given | {"source": given["source"] or "manual"}


class CreateLeadForm(LeadForm):
    """A new lead, with its owner and its stage."""

    owner = OwnerField()
    stage = StageField(label=_("Stage"), empty_label=None)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        initial = {"owner": user.pk, "currency": default_currency(current_tenant())}
        super().__init__(*args, **kwargs | {"initial": initial})
        ways = list(pipelines().order_by("-is_default", "position", "name"))
        self.fields["owner"].offer_team()  # type: ignore[attr-defined]
        self.fields["stage"].offer(ways, but=Outcome.LOST)  # type: ignore[attr-defined]


class EditLeadForm(LeadForm):
    """A lead as it was when the form was opened, and when that was."""

    seen_at = forms.CharField(widget=forms.HiddenInput)
    custom_fields = forms.CharField(
        label=_("Custom fields"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("One per line, such as “Industry: Retail”."),
    )

    def __init__(self, *args: Any, lead: Lead, **kwargs: Any) -> None:
        self.lead = lead
        initial = {name: getattr(lead, name) for name in LeadForm.base_fields}
        initial["custom_fields"] = "\n".join(
            f"{name}: {text}" for name, text in _as_lines(lead.custom_fields).items()
        )
        initial["seen_at"] = lead.updated_at.isoformat()
        super().__init__(*args, **kwargs | {"initial": initial})

    def clean_seen_at(self) -> datetime:
        """When the lead had been changed last as the form was opened."""
        try:
            return datetime.fromisoformat(self.cleaned_data["seen_at"])
        except ValueError:
            raise ValidationError(_("Open the form again.")) from None

    def clean_custom_fields(self) -> dict[str, Any]:
        """Names and values; a value that nobody touched keeps its type, whatever it is."""
        shown = _as_lines(self.lead.custom_fields)
        kept = {name: v for name, v in self.lead.custom_fields.items() if name not in shown}
        for line in filter(str.strip, self.cleaned_data["custom_fields"].splitlines()):
            name, colon, text = (part.strip() for part in line.partition(":"))
            if not name or not colon:
                raise ValidationError(
                    _("“%(line)s” has no name: write “Name: value”."), params={"line": line}
                )
            kept[name] = self.lead.custom_fields[name] if shown.get(name) == text else text
        return kept

    @property
    def lead_fields(self) -> dict[str, Any]:
        """With the custom fields."""
        return super().lead_fields | {"custom_fields": self.cleaned_data["custom_fields"]}

    def show_seen(self, lead: Lead) -> None:
        """Let the next try overwrite `lead` as it is now."""
        self.data = {**self.data.dict(), "seen_at": lead.updated_at.isoformat()}  # type: ignore[attr-defined]


def _as_lines(custom_fields: dict[str, Any]) -> dict[str, str]:
    """The custom fields that can be written as "Name: value", as text."""
    texts = {
        name: value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in custom_fields.items()
    }
    return {
        name: text
        for name, text in texts.items()
        if name == name.strip() and ":" not in name and len((name + text).splitlines()) < 2 and name
    }


class MoveForm(ServiceForm):
    """Another stage for a lead."""

    stage = forms.ModelChoiceField[Stage](None)

    def __init__(self, *args: Any, lead: Lead, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["stage"].queryset = Stage.objects.all()  # type: ignore[attr-defined]


class WinForm(ServiceForm):
    """Nothing to fill in."""

    def __init__(self, *args: Any, lead: Lead, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class DeleteForm(WinForm):
    """Nothing to fill in."""


class LoseForm(WinForm):
    """Why a deal was lost."""

    lost_reason = forms.CharField(label=_("Reason"), max_length=500)


class AssignForm(ServiceForm):
    """Another owner for a lead."""

    owner = OwnerField()

    def __init__(self, *args: Any, lead: Lead, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"initial": {"owner": lead.owner_id}})
        self.fields["owner"].offer_team()  # type: ignore[attr-defined]


class NoteForm(ServiceForm):
    """A note; the service says how long it may be."""

    body = forms.CharField(widget=forms.Textarea)

    def __init__(self, *args: Any, lead: Lead | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class LeadFilterForm(forms.Form):
    """What the lead list shows. What cannot be read is no filter."""

    q = forms.CharField(label=_("Search"), max_length=200, required=False)
    pipeline = forms.ModelChoiceField[Pipeline](
        None, label=_("Pipeline"), required=False, empty_label=_("All pipelines")
    )
    stage = StageField(label=_("Stage"), required=False, empty_label=_("All stages"))
    outcome = forms.ChoiceField(
        label=_("Outcome"),
        required=False,
        choices=[
            ("", _("Open and closed")),
            ("open", _("Open")),
            ("won", _("Won")),
            ("lost", _("Lost")),
        ],
    )
    owner = forms.ChoiceField(label=_("Owner"), required=False)
    source = forms.ChoiceField(label=_("Source"), required=False)
    # Chosen on a lead's page; the list shows it among the filters in force.
    tag = forms.CharField(label=_("Tag"), max_length=50, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ways = list(pipelines())
        fields: dict[str, Any] = self.fields
        fields["stage"].offer(ways)
        fields["pipeline"].queryset = Pipeline.objects.all()
        if len(ways) < 2:
            del fields["pipeline"]
        fields["owner"].choices = _owner_choices(team_members(), user)
        sources = lead_sources()
        fields["source"].choices = [("", _("All sources")), *((name, name) for name in sources)]

    @property
    def filters(self) -> dict[str, Any]:
        """What `queries.filter_leads` takes."""
        given = {name: v for name, v in self.cleaned_data.items() if v and name != "q"}
        if "owner" in given:
            given["owner"] = 0 if given["owner"] == NOBODY else int(given["owner"])
        return given

    def shown(self, name: str) -> str:
        """The value of a filter in words."""
        value = self.cleaned_data[name]
        choices = dict(getattr(self.fields[name], "choices", [])) if isinstance(value, str) else {}
        return str(choices.get(value, value))


def _owner_choices(team: Iterable[User], user: User) -> Choices:
    others = [(str(member.pk), str(member)) for member in team if member.pk != user.pk]
    return [("", _("All owners")), (str(user.pk), _("Me")), (NOBODY, _("Nobody")), *others]
