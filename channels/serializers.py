"""How the API tells conversations and messages, and what it takes to send one."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from channels.models import (
    Attachment,
    Channel,
    Conversation,
    Message,
    MessageTemplate,
    Purpose,
)
from leads.serializers import LeadField, OwnerField, PersonSerializer
from leads.serializers import RowField as RowField
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


class AttachmentSerializer(serializers.ModelSerializer[Attachment]):
    """A file of a message."""

    class Meta:
        model = Attachment
        fields = ["id", "name", "content_type", "size", "status"]
        read_only_fields = fields


class MessageSerializer(serializers.ModelSerializer[Message]):
    """One message of a conversation."""

    author = PersonSerializer(read_only=True, allow_null=True)
    attachments = AttachmentSerializer(many=True, read_only=True)

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
            "attachments",
            "author",
            "error",
            "latency_ms",
            "created_at",
            "sent_at",
            "delivered_at",
            "read_at",
            "failed_at",
            "withdrawn_at",
            "opened_at",
            "clicked_at",
        ]
        read_only_fields = fields


class TemplateField(RowField):
    """One of the tenant's templates by its id."""

    model = MessageTemplate
    unknown = gettext_lazy("There is no template %(id)s.")


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
    body = TextField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text=gettext_lazy("Required where no template is given."),
    )
    template = TemplateField(
        required=False,
        help_text=gettext_lazy("The id of a template, which is filled in for the lead."),
    )
    subject = TextField(required=False, allow_blank=True, help_text=gettext_lazy("E-mail only."))
    cc = serializers.ListField(
        child=TextField(), required=False, help_text=gettext_lazy("E-mail only.")
    )
    to_address = TextField(
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("One of the lead's addresses; by default the primary one."),
    )
    purpose = serializers.ChoiceField(
        Purpose.choices,
        required=False,
        help_text=gettext_lazy("Marketing needs a lawful basis; by default it is personal."),
    )

    def get_fields(self) -> Any:
        """A text is required where no template is given, and named with what else is missing."""
        fields = super().get_fields()
        given = getattr(self, "initial_data", None)
        fields["body"].required = isinstance(given, Mapping) and "template" not in given
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A template brings its own text."""
        if "template" in attrs:
            both = [name for name in ("body", "subject") if attrs.get(name)]
            reason = _("The template brings its own.")
            if both:
                raise serializers.ValidationError(dict.fromkeys(both, reason))
        return attrs
