"""What the API's lists of leads and tasks can be narrowed by."""

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters
from rest_framework import exceptions

from leads.models import Lead, Outcome, Task
from leads.queries import search_leads, stages_called
from salesflow.accounts.models import User
from salesflow.accounts.queries import find_member
from salesflow.accounts.rest.filters import MomentFilter


class TaskFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/tasks`."""

    state = filters.ChoiceFilter(choices=Task.State.choices)
    kind = filters.ChoiceFilter(choices=Task.Kind.choices)
    lead = filters.UUIDFilter(field_name="lead")
    assignee = filters.CharFilter(
        method="filter_assignee",
        help_text=gettext_lazy("A member's id or e-mail address, or none."),
    )
    due_after = MomentFilter("due_at", "gte")
    due_before = MomentFilter("due_at", "lt")

    class Meta:
        model = Task
        fields: list[str] = []

    def filter_assignee(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        """Narrow to a member's tasks, or to those of nobody."""
        return tasks.filter(assignee=_member_or_nobody(value, name))


def _member_or_nobody(value: str, name: str) -> User | None:
    if value == "none":
        return None
    member = find_member(value)
    if member is None:
        reason = _("No member of the team is “%(owner)s”.") % {"owner": value}
        raise exceptions.ValidationError({name: reason})
    return member


class LeadFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/leads`."""

    search = filters.CharFilter(
        method="filter_search",
        help_text=gettext_lazy("Words in the name, company, e-mail address or phone number."),
    )
    stage = filters.CharFilter(method="filter_stage", help_text=gettext_lazy("Its id or name."))
    outcome = filters.ChoiceFilter(choices=Outcome.choices)
    owner = filters.CharFilter(
        method="filter_owner", help_text=gettext_lazy("A member's id or e-mail address, or none.")
    )
    source = filters.CharFilter()
    tag = filters.CharFilter(method="filter_tag")
    external_id = filters.CharFilter()
    created_after = MomentFilter("created_at", "gte")
    created_before = MomentFilter("created_at", "lt")
    updated_after = MomentFilter("updated_at", "gte")
    updated_before = MomentFilter("updated_at", "lt")

    class Meta:
        model = Lead
        fields: list[str] = []

    def filter_search(self, leads: QuerySet[Lead], name: str, value: str) -> QuerySet[Lead]:
        """Narrow to the leads in which every word occurs."""
        return search_leads(leads, value)

    def filter_stage(self, leads: QuerySet[Lead], name: str, value: str) -> QuerySet[Lead]:
        """Narrow to a stage, or to the stages of that name in several pipelines."""
        stages = list(stages_called(value))
        if not stages:
            raise exceptions.ValidationError(
                {name: _("There is no stage “%(stage)s”.") % {"stage": value}}
            )
        return leads.filter(stage__in=stages)

    def filter_owner(self, leads: QuerySet[Lead], name: str, value: str) -> QuerySet[Lead]:
        """Narrow to a member's leads, or to those of nobody."""
        return leads.filter(owner=_member_or_nobody(value, name))

    def filter_tag(self, leads: QuerySet[Lead], name: str, value: str) -> QuerySet[Lead]:
        """Narrow to the leads with that tag."""
        return leads.filter(tags__contains=[value])
