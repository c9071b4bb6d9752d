"""How the API tells drafts, suggestions and runs, and what it takes to decide."""

from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from channels.autopilot.models import ActionType, Draft, Run, Suggestion
from channels.autopilot.queries import OUTCOME_CHOICES
from channels.models import Channel
from leads.serializers import LeadField, PersonSerializer
from salesflow.accounts.rest.serializers import StrictSerializer, TextField


class DraftSerializer(serializers.ModelSerializer[Draft]):
    """An answer that nobody has sent yet."""

    channel = serializers.ChoiceField(
        Channel.choices, source="conversation.channel", read_only=True
    )
    lead_name = serializers.CharField(source="lead.name", read_only=True)
    decided_by = PersonSerializer(read_only=True, allow_null=True)
    flags = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text=gettext_lazy("What a person should know before they decide."),
    )

    class Meta:
        model = Draft
        fields = [
            "id",
            "run_id",
            "lead_id",
            "lead_name",
            "conversation_id",
            "channel",
            "to_address",
            "subject",
            "body",
            "original_body",
            "based_on_id",
            "revision",
            "state",
            "reason",
            "flags",
            "send_after",
            "message_id",
            "decided_at",
            "decided_by",
            "created_at",
        ]
        read_only_fields = fields


class SuggestionSerializer(serializers.ModelSerializer[Suggestion]):
    """A step that was proposed."""

    reasons = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField()), read_only=True
    )

    class Meta:
        model = Suggestion
        fields = ["id", "run_id", "lead_id", "kind", "target", "due_at", "reasons", "state",
                  "created_at"]  # fmt: skip
        read_only_fields = fields


class RunSerializer(serializers.ModelSerializer[Run]):
    """One question to a model, what it answered and what that cost."""

    outcome = serializers.ChoiceField(OUTCOME_CHOICES, allow_blank=True, read_only=True)
    result = serializers.SerializerMethodField(
        help_text=gettext_lazy("What was believed of the answer.")
    )

    class Meta:
        model = Run
        fields = [
            "id",
            "action",
            "lead_id",
            "conversation_id",
            "state",
            "outcome",
            "error",
            "result",
            "model",
            "prompt_name",
            "prompt_version",
            "prompt_tokens",
            "cached_tokens",
            "completion_tokens",
            "is_estimated",
            "cost",
            "first_token_ms",
            "latency_ms",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_result(self, run: Run) -> dict[str, Any]:
        """What was believed of the answer."""
        result: dict[str, Any] = run.result
        return result


class RevisionField(serializers.IntegerField):
    """The number of a revision."""

    def __init__(self, **options: Any) -> None:
        told = gettext_lazy("The one that was read: another one is answered by a 409.")
        super().__init__(min_value=1, max_value=2**31 - 1, help_text=told, **options)


class RevisionSerializer(StrictSerializer):
    """Which revision somebody has read."""

    revision = RevisionField()


class EditSerializer(RevisionSerializer):
    """A draft written otherwise."""

    body = TextField(trim_whitespace=False)
    subject = TextField(required=False, allow_blank=True, help_text=gettext_lazy("E-mail only."))


class DismissSerializer(StrictSerializer):
    """Why a draft does not go out, and which revision was read."""

    revision = RevisionField(required=False)
    reason = TextField(required=False, allow_blank=True, max_length=500)


class RunInputSerializer(StrictSerializer):
    """What a model is to be asked about a lead."""

    # A reply is asked for by its conversation's pages: it answers one message.
    action = serializers.ChoiceField(
        [
            ActionType.PROPOSE.value,
            ActionType.QUALIFY.value,
            ActionType.SUMMARISE.value,
            ActionType.EXTRACT.value,
        ]
    )
    lead = LeadField(help_text=gettext_lazy("The id of the lead."))


class SumSerializer(serializers.Serializer[Any]):
    """What some calls came to; the cost in US dollars, to the last digit."""

    name = serializers.CharField()
    calls = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    estimated_calls = serializers.IntegerField()
    unpriced_calls = serializers.IntegerField(
        help_text=gettext_lazy("Calls of which nobody knows what they cost: they count as nothing.")
    )
    cost = serializers.DecimalField(max_digits=24, decimal_places=12)


class CostsSerializer(serializers.Serializer[Any]):
    """What models cost: calls that came to nothing included."""

    total = SumSerializer()
    days = SumSerializer(many=True)
    actions = SumSerializer(many=True)
    models = SumSerializer(many=True)
