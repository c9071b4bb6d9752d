"""How the API tells conversations and messages, and what it takes to send one."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from channels.models import Channel, Conversation, Message
from leads.models import Lead
from leads.serializers import OwnerField, PersonSerializer
from salesflow.accounts.rest.serializers import StrictSerializer, TextField


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    """All that was written with a lead on one channel."""

    lead_name = serializers.CharField(source="lead.name", read_only=True)
    assignee = PersonSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Conversation
        fields = [
            "id",
            "lead_id",
            "lead_name",
            "channel",
            "state",
            "snoozed_until",
            "assignee",
            "unread",
            "last_message_at",
            "last_inbound_at",
            "waiting_since",
        ]
        read_only_fields = fields


class MessageSerializer(serializers.ModelSerializer[Message]):
    """One message of a conversation."""

    author = PersonSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Message
        fields = [
            "id",
            "conversation_id",
            "lead_id",
            "channel",
            "direction",
            "type",
            "status",
            "address",
            "subject",
            "body",
            "cc",
            "author",
            "error",
            "latency_ms",
            "created_at",
            "sent_at",
            "delivered_at",
            "read_at",
            "failed_at",
        ]
        read_only_fields = fields


class LeadField(serializers.UUIDField):
    """One of the tenant's leads by its id."""

    def to_internal_value(self, data: Any) -> Any:
        """The lead.

        Raises:
            ValidationError: there is none.
        """
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        lead_id = super().to_internal_value(data)
        lead = Lead.objects.filter(pk=lead_id).first()
        if lead is None:
            raise serializers.ValidationError(_("There is no lead %(id)s.") % {"id": lead_id})
        return lead


class ConversationInputSerializer(StrictSerializer):
    """Who takes care of a conversation, and when."""

    state = serializers.ChoiceField(Conversation.State.choices, required=False)
    snoozed_until = serializers.DateTimeField(
        required=False, help_text=gettext_lazy("Required by the state “snoozed”.")
    )
    assignee = OwnerField(
        required=False,
        allow_null=True,
        help_text=gettext_lazy("A member's id or e-mail address; null is nobody."),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A time and the state “snoozed” come together."""
        is_snoozed = attrs.get("state") == Conversation.State.SNOOZED
        if is_snoozed and "snoozed_until" not in attrs:
            raise serializers.ValidationError({"snoozed_until": _("Say until when.")})
        if "snoozed_until" in attrs and not is_snoozed:
            raise serializers.ValidationError({"state": _("Only “snoozed” has a time.")})
        return attrs


class MessageInputSerializer(StrictSerializer):
    """A message to send; lengths and addresses are the service's to check."""

    lead = LeadField(help_text=gettext_lazy("The id of the lead it goes to."))
    channel = serializers.ChoiceField(Channel.choices)
    body = TextField(allow_blank=True, trim_whitespace=False)
    subject = TextField(required=False, allow_blank=True, help_text=gettext_lazy("E-mail only."))
    cc = serializers.ListField(
        child=TextField(), required=False, help_text=gettext_lazy("E-mail only.")
    )
    to_address = TextField(
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("One of the lead's addresses; by default the primary one."),
    )
