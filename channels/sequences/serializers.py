"""How the API tells sequences, who is in them and what came of them, and what it takes to change
them."""

from typing import Any

import pydantic
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from channels.models import Account
from channels.sequences import models
from channels.sequences.decisions import Obstacle
from channels.sequences.documents import Document
from channels.sequences.models import Enrolment, WorkCalendar
from channels.serializers import RowField
from leads.models import Lead
from leads.serializers import OwnerField, PersonSerializer
from salesflow.accounts.rest.serializers import StrictSerializer, TextField

State = models.Sequence.State
MOST_LEADS = 1000


@extend_schema_field({"type": "object", "additionalProperties": True})
class DocumentField(serializers.Field[Any, Any, Any, Any]):
    """What a version consists of, as docs/building-sequences.md has it."""

    def to_internal_value(self, data: Any) -> Document:
        """The document.

        Raises:
            ValidationError: by the place in the document at which something cannot be.
        """
        try:
            document = Document.model_validate(data)
        except pydantic.ValidationError as error:
            raise serializers.ValidationError(_in_words(error)) from None
        wanted = document.calendar_id
        if wanted and not WorkCalendar.objects.filter(pk=wanted).exists():
            reason = _("There is no calendar %(id)s.") % {"id": wanted}
            raise serializers.ValidationError({"calendar_id": [reason]})
        return document

    def to_representation(self, value: Any) -> Any:
        """The document, with everything that was left out as it was understood."""
        return Document.model_validate(value).model_dump(mode="json")


def _in_words(error: pydantic.ValidationError) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in error.errors(include_input=False, include_url=False):
        place = ".".join(map(str, problem["loc"])) or "content"
        reason = problem.get("ctx", {}).get("error", problem["msg"])
        found.setdefault(place, []).append(str(reason))
    return found


class VersionSerializer(serializers.Serializer[models.Version]):
    """A version: what is edited, or what those begin with who come in now."""

    number = serializers.IntegerField()
    revision = serializers.IntegerField(
        help_text=gettext_lazy("Rises with every edit: give it back to overwrite nobody's.")
    )
    published_at = serializers.DateTimeField(allow_null=True)
    content = DocumentField()


class SequenceSerializer(serializers.ModelSerializer[models.Sequence]):
    """A sequence."""

    owner = PersonSerializer(read_only=True, allow_null=True)
    version = serializers.IntegerField(
        source="published.number",
        default=None,
        allow_null=True,
        read_only=True,
        help_text=gettext_lazy("The number of the version in use; null: none was published yet."),
    )

    class Meta:
        model = models.Sequence
        fields = ["id", "name", "state", "owner", "version", "created_at", "changed_at"]
        read_only_fields = fields


class SequenceDetailSerializer(SequenceSerializer):
    """A sequence with its steps."""

    published = VersionSerializer(read_only=True, allow_null=True)
    draft = VersionSerializer(read_only=True, allow_null=True)

    class Meta(SequenceSerializer.Meta):
        fields = [*SequenceSerializer.Meta.fields, "published", "draft"]
        read_only_fields = fields


class SequenceInputSerializer(StrictSerializer):
    """What a new sequence is called, and what it consists of."""

    name = TextField()
    content = DocumentField(required=False)


class SequenceChangeSerializer(StrictSerializer):
    """What is changed about a sequence."""

    name = TextField(required=False)
    state = serializers.ChoiceField(
        State.choices,
        required=False,
        help_text=gettext_lazy("Paused: nobody moves on. Archived: nobody comes in any more."),
    )
    content = DocumentField(
        required=False, help_text=gettext_lazy("Takes the place of the draft; publish it then.")
    )
    revision = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text=gettext_lazy("The revision of the draft as you know it, 0 where there was none."),
    )


class PublishSerializer(StrictSerializer):
    """What is published."""

    revision = serializers.IntegerField(required=False, min_value=1)
    takes_along = serializers.BooleanField(
        required=False,
        default=False,
        help_text=gettext_lazy("Also those in it for whom nothing was done yet."),
    )


class CloneSerializer(StrictSerializer):
    """What the copy is called."""

    name = TextField()


class AccountField(RowField):
    """One of the tenant's accounts by its id."""

    model = Account
    unknown = gettext_lazy("There is no account %(id)s.")


class EnrolSerializer(StrictSerializer):
    """Who comes into a sequence."""

    leads = serializers.ListField(
        child=serializers.UUIDField(),
        min_length=1,
        max_length=MOST_LEADS,
        help_text=gettext_lazy("The ids of up to 1,000 leads."),
    )
    sender = OwnerField(
        required=False,
        allow_null=True,
        help_text=gettext_lazy("In whose name it is written; by default each lead's owner."),
    )
    account = AccountField(
        required=False, help_text=gettext_lazy("Through which account mails go.")
    )
    dry_run = serializers.BooleanField(
        required=False,
        default=False,
        help_text=gettext_lazy("Only tell what would come of it; nothing is written."),
    )

    def validate_leads(self, ids: list[Any]) -> list[Lead]:
        """The tenant's leads with these ids.

        Raises:
            ValidationError: naming one that is not there.
        """
        rows = Lead.objects.filter(pk__in=ids).select_related("owner")
        found = {lead.pk: lead for lead in rows.prefetch_related("contact_points")}
        for lead_id in ids:
            if lead_id not in found:
                raise serializers.ValidationError(_("There is no lead %(id)s.") % {"id": lead_id})
        return list(found.values())


class RefusedSerializer(serializers.Serializer[Any]):
    """A lead that did not come in, and why."""

    lead = serializers.UUIDField()
    reason = serializers.CharField()
    message = serializers.CharField()


class EnrolmentSerializer(serializers.ModelSerializer[Enrolment]):
    """A lead in a sequence."""

    version = serializers.IntegerField(source="version.number", read_only=True)
    sender = PersonSerializer(read_only=True, allow_null=True)
    obstacle_names = serializers.SerializerMethodField(
        help_text=gettext_lazy("What it is about, such as the variables that are missing.")
    )
    waiting_for = serializers.CharField(
        read_only=True,
        help_text=gettext_lazy("message, task, person; empty: for next_step_at."),
    )

    class Meta:
        model = Enrolment
        fields = [
            "id",
            "lead_id",
            "sequence_id",
            "version",
            "state",
            "reason",
            "next_step_at",
            "waiting_for",
            "delay",
            "obstacle",
            "obstacle_names",
            "resume_at",
            "time_zone",
            "sender",
            "source",
            "steps_done",
            "enrolled_at",
            "last_step_at",
            "finished_at",
        ]
        read_only_fields = fields

    def get_obstacle_names(self, row: Enrolment) -> list[str]:
        """As they are kept, but for what only an administrator can mend."""
        return [] if row.obstacle == Obstacle.BROKEN else row.obstacle_names


class EnrolReportSerializer(serializers.Serializer[Any]):
    """Who came in, and who did not.

    In a dry run `enrolled` is empty, `starting` tells how many would come in, and `obstacles` what
    would stop them on their way.
    """

    dry_run = serializers.BooleanField()
    starting = serializers.IntegerField()
    enrolled = EnrolmentSerializer(many=True)
    refused = RefusedSerializer(many=True)
    obstacles = serializers.DictField(child=serializers.IntegerField())


class CountsSerializer(serializers.Serializer[Any]):
    """How many executions of a step came how far; each lead counts once."""

    executed = serializers.IntegerField()
    sent = serializers.IntegerField()
    tracked = serializers.IntegerField(
        help_text=gettext_lazy("Of those sent, the ones that tell whether they are opened.")
    )
    delivered = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()
    replied = serializers.IntegerField()
    won = serializers.IntegerField()
    unsubscribed = serializers.IntegerField()
    bounced = serializers.IntegerField()
    failed = serializers.IntegerField()


class VariantFiguresSerializer(serializers.Serializer[Any]):
    """What came of one text of a step, over the versions in which it reads as it does now."""

    label = serializers.CharField()  # type: ignore[assignment]
    counts = CountsSerializer()
    reply_rate = serializers.ListField(
        child=serializers.FloatField(),
        source="counts.reply_rate",
        help_text=gettext_lazy("Where the share of those who reply lies, from and to, of 1."),
    )


class VerdictSerializer(serializers.Serializer[Any]):
    """What may be said of the variants of a step."""

    finding = serializers.CharField()
    winner = serializers.CharField(allow_blank=True)
    text = serializers.CharField()


class StepFiguresSerializer(serializers.Serializer[Any]):
    """What came of a step."""

    key = serializers.UUIDField(source="step.key")
    kind = serializers.CharField(source="step.kind")
    number = serializers.IntegerField()
    counts = CountsSerializer()
    variants = VariantFiguresSerializer(many=True)
    verdict = VerdictSerializer(allow_null=True)
    warning = VerdictSerializer(allow_null=True)


class StatisticsSerializer(serializers.Serializer[Any]):
    """What came of a sequence."""

    people = serializers.DictField(child=serializers.IntegerField())
    finished = serializers.DictField(child=serializers.IntegerField())
    total = CountsSerializer()
    decide_at = serializers.IntegerField()
    steps = StepFiguresSerializer(many=True)
