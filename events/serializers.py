"""How the API tells events."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from events.models import Attempt, Delivery, Event


class EventSerializer(serializers.ModelSerializer[Event]):
    """An event as lists show it."""

    class Meta:
        model = Event
        fields = [
            "id",
            "type",
            "version",
            "status",
            "payload",
            "source",
            "request_id",
            "subject_type",
            "subject_id",
            "actor_id",
            "cause_id",
            "occurred_at",
            "created_at",
            "processed_at",
            "error_message",
        ]
        read_only_fields = fields


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """A failed try, or a try made by a replay."""

    class Meta:
        model = Attempt
        fields = [
            "number",
            "status",
            "started_at",
            "duration_ms",
            "error_type",
            "error",
            "worker",
            "replay_id",
        ]
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """What one handler did with an event."""

    attempt_count = serializers.IntegerField(
        source="attempts", read_only=True, help_text=_("How often it was tried.")
    )
    attempts = AttemptSerializer(
        source="history",
        many=True,
        read_only=True,
        help_text=_("Failed tries and those of replays; a success at once is the delivery itself."),
    )

    class Meta:
        model = Delivery
        fields = [
            "handler",
            "status",
            "attempt_count",
            "next_attempt_at",
            "finished_at",
            "duration_ms",
            "error",
            "replay_id",
            "attempts",
        ]
        read_only_fields = fields


class EventDetailSerializer(EventSerializer):
    """An event with its deliveries and their attempts."""

    deliveries = DeliverySerializer(many=True, read_only=True)

    class Meta(EventSerializer.Meta):
        fields = [*EventSerializer.Meta.fields, "deliveries"]
        read_only_fields = fields
