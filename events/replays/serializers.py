"""How the API tells replays, and what it takes to plan, start and end them."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from events import registry
from events.models import EventStatus, Replay, ReplayItem
from events.replays.actions import HIGHEST_PACE, HIGHEST_STOP_PERCENT
from events.replays.outlook import again_in, chosen_of, handlers_of, outlook_of
from events.replays.progress import counts_of, skipped_in
from events.selections import Selection
from salesflow.accounts.rest.serializers import StrictSerializer, TextField

EXTERNAL_HELP = _(
    "Also run handlers whose effects leave the database; takes the permission for external effects."
)
# Corrections are planned with a patch, in the console.
PLANNED_KINDS = [(kind.value, kind.label) for kind in (Replay.Kind.REPLAY, Replay.Kind.GIVE_UP)]
COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}


class HandlersField(serializers.ListField):
    """Names of handlers."""

    child = TextField()

    def to_internal_value(self, data: Any) -> list[str]:
        """The names, if handlers are called so."""
        names: list[str] = super().to_internal_value(data)
        unknown = [name for name in names if registry.get_handler(name) is None]
        if unknown:
            known = ", ".join(handler.name for handler in registry.all_handlers())
            raise serializers.ValidationError(
                _("Unknown handler “%(name)s” (handlers: %(known)s).")
                % {"name": unknown[0], "known": known}
            )
        return names


class ReplayRequestSerializer(StrictSerializer):
    """How to replay; all of it may be left out."""

    reason = TextField(
        default="", allow_blank=True, max_length=2000, help_text=_("Why, for the record.")
    )
    handlers = HandlersField(
        default=list,
        help_text=_("Run these again, whatever came of them; else those that failed."),
    )
    include_external = serializers.BooleanField(default=False, help_text=EXTERNAL_HELP)


class StartedReplaySerializer(serializers.ModelSerializer[Replay]):
    """The answer to whoever started a replay."""

    replay = serializers.UUIDField(source="id", read_only=True)

    class Meta:
        model = Replay
        fields = ["replay", "selected"]
        read_only_fields = fields


# --- Step by step -------------------------------------------------------------------------------


class SelectionSerializer(StrictSerializer):
    """Which events; each field narrows the selection."""

    ids = serializers.ListField(child=serializers.UUIDField(), required=False, allow_empty=False)
    status = serializers.ChoiceField(
        EventStatus.choices, required=False, help_text=_("By default those that failed.")
    )
    type = TextField(required=False, help_text=_("Such as lead.created."))
    handler = TextField(required=False, help_text=_("Events that failed at this handler."))
    source = TextField(  # type: ignore[assignment]
        required=False, help_text=_("Such as api, web, import.")
    )
    subject = serializers.UUIDField(required=False, help_text=_("What the events are about."))
    request_id = TextField(required=False, help_text=_("The X-Request-ID that caused them."))
    group = serializers.UUIDField(required=False, help_text=_("The fingerprint of a failure."))
    recorded_after = serializers.DateTimeField(required=False)
    recorded_before = serializers.DateTimeField(required=False)

    def validate(self, attrs: dict[str, Any]) -> Selection:
        """The selection; at least one field has to say something."""
        if not attrs:
            raise serializers.ValidationError(_("Name at least one field, such as the status."))
        told = {name: _as_text(value) for name, value in attrs.items()}
        try:
            return Selection.from_json(told)
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from None


def _as_text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


class PlanRequestSerializer(StrictSerializer):
    """What to freeze and count; nothing runs yet."""

    selection = SelectionSerializer()
    handlers = HandlersField(
        default=list,
        help_text=_(
            "Run these again, whatever came of them; else those that failed. To give up: at these"
            " handlers alone."
        ),
    )
    kind = serializers.ChoiceField(
        PLANNED_KINDS,
        default=Replay.Kind.REPLAY,
        help_text=_("Whether the start runs what failed again, or gives it up."),
    )


class StartRequestSerializer(StrictSerializer):
    """How to run what was planned."""

    reason = TextField(max_length=2000, help_text=_("Why, for the record."))
    handlers = HandlersField(
        default=list, help_text=_("Some of the planned handlers; by default all.")
    )
    include_external = serializers.BooleanField(default=False, help_text=EXTERNAL_HELP)
    canary = serializers.BooleanField(
        source="has_canary",
        default=False,
        help_text=_("1, 10, 100 events first, each step when the one before has answered."),
    )
    stop_percent = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=0,
        max_value=HIGHEST_STOP_PERCENT,
        help_text=_("Stop by itself above so many failures among a hundred answers."),
    )
    pace = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        max_value=HIGHEST_PACE,
        help_text=_("Events per second at most; null: as fast as the workers can."),
    )


class ActRequestSerializer(StrictSerializer):
    """Why somebody pauses, resumes or cancels."""

    reason = TextField(
        default="", allow_blank=True, max_length=2000, help_text=_("Why, for the record.")
    )


# --- Telling ------------------------------------------------------------------------------------


class ReplayProgressSerializer(serializers.ModelSerializer[Replay]):
    """A replay and how far it has come."""

    progress = serializers.SerializerMethodField(help_text=_("How many events are in which state."))
    skipped = serializers.SerializerMethodField(
        help_text=_("Why events were passed over, and how many.")
    )

    canary = serializers.BooleanField(source="has_canary", read_only=True)
    selection = serializers.DictField(
        child=serializers.CharField(), read_only=True, help_text=_("Which events were meant.")
    )
    plan = serializers.SerializerMethodField(help_text=_("What it holds and would run, exactly."))

    only_failed = serializers.BooleanField(
        read_only=True, help_text=_("Whether handlers are named that run only where they failed.")
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
            "kind",
            "only_failed",
            "again",
            "selection",
            "plan",
            "canary",
            "stop_percent",
            "stopped_because",
            "pace",
            "started_at",
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
        return counts_of(replay)

    def get_skipped(self, replay: Replay) -> dict[str, int]:
        """Why events were passed over → how many."""
        return skipped_in(replay)

    @extend_schema_field(
        {
            "type": "object",
            "required": ["types", "handlers", "left_out", "runs", "skipped"],
            "properties": {
                "types": COUNTS,
                "handlers": COUNTS,
                "left_out": COUNTS,
                "runs": {"type": "integer"},
                "skipped": COUNTS,
            },
        }
    )
    def get_plan(self, replay: Replay) -> dict[str, Any]:
        """The counts of the plan; what runs, for what was chosen at the start or by default."""
        outlook = outlook_of(replay, chosen_of(replay), again=again_in(replay))
        return {
            "types": replay.plan.get("types", {}),
            "handlers": _startable(replay),
            "left_out": replay.plan.get("left_out", {}),
            "runs": outlook.runs,
            "skipped": outlook.skipped,
        }


def _startable(replay: Replay) -> dict[str, int]:
    """Handlers that may be named at the start → at how many events they would run."""
    numbers = {
        each.name: each.number
        + (each.succeeded + each.given_up if each.name in replay.again else 0)
        for each in handlers_of(replay)
    }
    return {name: number for name, number in numbers.items() if number}


class ReplayItemSerializer(serializers.ModelSerializer[ReplayItem]):
    """What came of one event of a replay."""

    event = serializers.UUIDField(source="event_id", read_only=True)
    note = serializers.CharField(source="note_label", read_only=True)

    class Meta:
        model = ReplayItem
        fields = ["event", "status", "note", "came_back", "correction_id"]
        read_only_fields = fields


def checked(serializer_class: type[serializers.Serializer[Any]], request: Request) -> Any:
    """The checked fields of a request's body."""
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data
