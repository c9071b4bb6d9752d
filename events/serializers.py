"""How the API tells events."""

from functools import cached_property
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from events.models import Attempt, Delivery, DeliveryStatus, Event
from events.pauses import paused_handlers

PAUSED_HANDLER = "paused_handler"


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

    waits_for = serializers.SerializerMethodField(
        help_text=_(
            "“paused_handler”: until somebody resumes the handler, nothing is tried, and the next"
            " attempt has no time."
        )
    )

    class Meta:
        model = Delivery
        fields = [
            "handler",
            "status",
            "attempt_count",
            "waits_for",
            "next_attempt_at",
            "finished_at",
            "duration_ms",
            "error",
            "replay_id",
            "attempts",
        ]
        read_only_fields = fields

    @extend_schema_field({"type": ["string", "null"], "enum": [PAUSED_HANDLER, None]})
    def get_waits_for(self, delivery: Delivery) -> str | None:
        """What keeps it from being tried; null where only its time does."""
        is_pending = delivery.status == DeliveryStatus.PENDING
        is_held = delivery.waits_for_resume or (is_pending and delivery.handler in self._paused)
        return PAUSED_HANDLER if is_held else None

    @cached_property
    def _paused(self) -> frozenset[str]:
        return paused_handlers()

    def to_representation(self, delivery: Delivery) -> dict[str, Any]:
        """The delivery; the time that holds for ever is the engine's own."""
        told = super().to_representation(delivery)
        return told | {"next_attempt_at": None} if told["waits_for"] else told


class EventDetailSerializer(EventSerializer):
    """An event with its deliveries and their attempts."""

    deliveries = DeliverySerializer(many=True, read_only=True)

    class Meta(EventSerializer.Meta):
        fields = [*EventSerializer.Meta.fields, "deliveries"]
        read_only_fields = fields
