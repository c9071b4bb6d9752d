"""The web's forms about tasks and meetings: the services say whether what they read is right."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from leads.forms import OwnerField, ServiceForm
from leads.models import Lead, Task
from salesflow.accounts.models import User


def moment_field(label: Any, **options: Any) -> forms.DateTimeField:
    """A date and a time of day, in the time zone of whoever types it."""
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, widget=widget, **options)


class TaskForm(ServiceForm):
    """Something to do about a lead."""

    title = forms.CharField(label=_("What is to be done?"), max_length=200)
    kind = forms.ChoiceField(label=_("Kind"), choices=Task.Kind.choices, initial=Task.Kind.TODO)
    due_at = moment_field(_("By when?"), required=False)
    assignee = OwnerField()
    body = forms.CharField(
        label=_("More about it"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, lead: Lead, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"initial": {"assignee": user.pk}})
        self.fields["assignee"].label = _("Who does it?")
        self.fields["assignee"].empty_label = _("Whoever takes it")  # type: ignore[attr-defined]
        self.fields["assignee"].offer_team()  # type: ignore[attr-defined]
        self.fields["title"].widget.attrs |= {"data-focus": "", "autocomplete": "off"}


class MeetingForm(ServiceForm):
    """A meeting with a lead."""

    title = forms.CharField(label=_("What is it about?"), max_length=200)
    starts_at = moment_field(_("When does it begin?"))

    def __init__(self, *args: Any, lead: Lead, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["title"].widget.attrs |= {"data-focus": "", "autocomplete": "off"}


class DoneForm(ServiceForm):
    """Nothing to fill in."""

    def __init__(self, *args: Any, lead: Lead, task: Task, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class SkipTaskForm(DoneForm):
    """Why a task is not done; nobody has to say."""

    reason = forms.CharField(label=_("Why not?"), max_length=500, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].widget.attrs |= {"data-focus": "", "autocomplete": "off"}


class AssignTaskForm(DoneForm):
    """Who is to do a task."""

    assignee = OwnerField()

    def __init__(self, *args: Any, task: Task, user: User, **kwargs: Any) -> None:
        initial = {"assignee": task.assignee_id or user.pk}
        super().__init__(*args, task=task, **kwargs | {"initial": initial})
        self.fields["assignee"].label = _("Who does it?")
        self.fields["assignee"].empty_label = _("Whoever takes it")  # type: ignore[attr-defined]
        self.fields["assignee"].offer_team()  # type: ignore[attr-defined]
