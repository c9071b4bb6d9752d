"""What the API's list of conversations can be narrowed by."""

from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters

from channels.models import Channel, Conversation


class ConversationFilter(filters.FilterSet):  # type: ignore[misc]
    """The filters of `GET /api/conversations`."""

    lead = filters.UUIDFilter("lead_id", help_text=gettext_lazy("The id of a lead."))
    channel = filters.ChoiceFilter(choices=Channel.choices)
    state = filters.ChoiceFilter(choices=Conversation.State.choices)

    class Meta:
        model = Conversation
        fields: list[str] = []
