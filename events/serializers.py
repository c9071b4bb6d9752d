"""How the API tells events, and what it takes to replay them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from events import registry
from events.models import Attempt, Delivery, Event, Replay, ReplayItem
from events.replays.progress import progress_of, skipped_in
from salesflow.accounts.rest.serializers import StrictSerializer, TextField


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


class ReplayRequestSerializer(StrictSerializer):
    """How to replay; all of it may be left out."""

    reason = TextField(
        default="", allow_blank=True, max_length=2000, help_text=_("Why, for the record.")
    )
    handlers = serializers.ListField(
        child=TextField(),
        default=list,
        help_text=_("Run these again, whatever came of them; else those that failed."),
    )
    include_external = serializers.BooleanField(
        default=False, help_text=_("Also run handlers whose effects leave the database.")
    )

    def validate_handlers(self, names: list[str]) -> list[str]:
        """The names, if handlers are called so."""
        unknown = [name for name in names if registry.get_handler(name) is None]
        if unknown:
            known = ", ".join(handler.name for handler in registry.all_handlers())
            raise serializers.ValidationError(
                _("Unknown handler “%(name)s” (handlers: %(known)s).")
                % {"name": unknown[0], "known": known}
            )
        return names


class StartedReplaySerializer(serializers.ModelSerializer[Replay]):
    """The answer to whoever started a replay."""

    replay = serializers.UUIDField(source="id", read_only=True)

    class Meta:
        model = Replay
        fields = ["replay", "selected"]
        read_only_fields = fields


class ReplayProgressSerializer(serializers.ModelSerializer[Replay]):
    """A replay and how far it has come."""

    progress = serializers.SerializerMethodField(help_text=_("How many events are in which state."))
    skipped = serializers.SerializerMethodField(
        help_text=_("Why events were passed over, and how many.")
    )

    class Meta:
        model = Replay
        fields = [
            "id",
            "status",
            "reason",
            "actor_id",
            "handlers",
            "include_external",
            "selected",
            "progress",
            "skipped",
            "created_at",
            "finished_at",
            "pruned_at",
        ]
        read_only_fields = fields

    @extend_schema_field(
        {
            "type": "object",
            "required": list(ReplayItem.Status.values),
            "properties": {status: {"type": "integer"} for status in ReplayItem.Status.values},
        }
    )
    def get_progress(self, replay: Replay) -> dict[str, int]:
        """How many events are in which state."""
        return progress_of(replay)

    def get_skipped(self, replay: Replay) -> dict[str, int]:
        """Why events were passed over → how many."""
        return skipped_in(replay)


def replay_options(data: Any) -> dict[str, Any]:
    """The checked options of a request to replay."""
    serializer = ReplayRequestSerializer(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
