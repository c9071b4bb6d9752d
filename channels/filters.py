"""What the API's list of conversations can be narrowed by."""

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters
from rest_framework import exceptions

from channels.models import Channel, Conversation
from salesflow.accounts.queries import find_member


class ConversationFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/conversations`."""

    lead = filters.UUIDFilter("lead_id", help_text=gettext_lazy("The id of a lead."))
    channel = filters.ChoiceFilter(choices=Channel.choices)
    state = filters.ChoiceFilter(choices=Conversation.State.choices)
    assignee = filters.CharFilter(
        method="filter_assignee",
        help_text=gettext_lazy("A member's id or e-mail address, or none."),
    )
    unread = filters.BooleanFilter(method="filter_unread")

    def filter_assignee(
        self, rows: QuerySet[Conversation], name: str, value: str
    ) -> QuerySet[Conversation]:
        """Those of a member, or of nobody."""
        if value == "none":
            return rows.filter(assignee=None)
        assignee = find_member(value)
        if assignee is None:
            raise exceptions.ValidationError(
                {name: _("No member of the team is “%(owner)s”.") % {"owner": value}}
            )
        return rows.filter(assignee=assignee)

    def filter_unread(
        self, rows: QuerySet[Conversation], _name: str, value: bool
    ) -> QuerySet[Conversation]:
        """Those that somebody has still to look at, or the others."""
        return rows.filter(unread__gt=0) if value else rows.filter(unread=0)

    class Meta:
        model = Conversation
        fields: list[str] = []
