"""How the API tells leads, and what it takes to write them."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from leads.capturing import FOUND_FIELDS, LONGEST_TEXT, Capture
from leads.capturing.pieces import Finding
from leads.models import Lead, Note, Pipeline, Stage
from leads.queries import stages_called
from salesflow.accounts.models import TenantScoped, User
from salesflow.accounts.queries import find_member
from salesflow.accounts.rest.serializers import StrictSerializer, TextField


class PersonSerializer(serializers.ModelSerializer[User]):
    """A colleague."""

    class Meta:
        model = User
        fields = ["id", "name", "email"]
        read_only_fields = fields


class StageSerializer(serializers.ModelSerializer[Stage]):
    """A step of a pipeline."""

    class Meta:
        model = Stage
        fields = ["id", "name", "position", "probability", "kind", "pipeline_id"]
        read_only_fields = fields


class PipelineSerializer(serializers.ModelSerializer[Pipeline]):
    """A way from first contact to won or lost."""

    stages = StageSerializer(many=True, read_only=True)

    class Meta:
        model = Pipeline
        fields = ["id", "name", "position", "is_default", "stages"]
        read_only_fields = fields


class LeadSerializer(serializers.ModelSerializer[Lead]):
    """A lead."""

    emails = serializers.ListField(child=serializers.CharField(), read_only=True)
    phones = serializers.ListField(child=serializers.CharField(), read_only=True)
    profiles = serializers.ListField(child=serializers.CharField(), read_only=True)
    owner = PersonSerializer(read_only=True, allow_null=True)
    stage = StageSerializer(read_only=True)
    custom_fields = serializers.DictField(read_only=True)

    class Meta:
        model = Lead
        fields = [
            "id",
            "name",
            "company",
            "title",
            "emails",
            "phones",
            "profiles",
            "owner",
            "source",
            "value",
            "currency",
            "tags",
            "custom_fields",
            "external_id",
            "time_zone",
            "country",
            "stage",
            "outcome",
            "lost_reason",
            "created_at",
            "stage_entered_at",
            "closed_at",
            "updated_at",
        ]
        read_only_fields = fields


class StageField(TextField):
    """A stage by its id or name; a name is looked for in the lead's own pipeline first."""

    def to_internal_value(self, data: Any) -> Any:
        """The stage.

        Raises:
            ValidationError: there is none, or several pipelines have one of that name.
        """
        text = super().to_internal_value(data)
        lead = getattr(self.parent, "instance", None)
        stages = list(stages_called(text).select_related("pipeline"))
        own = [stage for stage in stages if _is_own(stage, lead)]
        candidates = own or stages
        if not candidates:
            raise serializers.ValidationError(_("There is no stage “%(stage)s”.") % {"stage": text})
        if len(candidates) > 1:
            raise serializers.ValidationError(
                _("Several pipelines have a stage “%(stage)s”: give its id.") % {"stage": text}
            )
        return candidates[0]


def _is_own(stage: Stage, lead: Lead | None) -> bool:
    if lead is None:
        return stage.pipeline.is_default
    return stage.pipeline_id == lead.stage.pipeline_id


@extend_schema_field({"type": ["integer", "string"]})
class OwnerField(serializers.Field[Any, Any, Any, Any]):
    """A member of the team by id or e-mail address; null is nobody."""

    def to_internal_value(self, data: Any) -> User:
        """The member.

        Raises:
            ValidationError: there is none.
        """
        if isinstance(data, bool) or not isinstance(data, (int, str)):
            raise serializers.ValidationError(_("Give a member's id or e-mail address."))
        owner = find_member(str(data).strip())
        if owner is None:
            raise serializers.ValidationError(
                _("No member of the team is “%(owner)s”.") % {"owner": data}
            )
        return owner


@extend_schema_field({"type": ["string", "number"], "examples": ["1250.00", 1250]})
class MoneyField(serializers.DecimalField):
    """An amount as a string or a number."""


class RowField(serializers.UUIDField):
    """One of the tenant's rows by its id."""

    model: type[TenantScoped]
    unknown: Any

    def to_internal_value(self, data: Any) -> Any:
        """The row.

        Raises:
            ValidationError: there is none.
        """
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        row_id = super().to_internal_value(data)
        row = self.model.objects.filter(pk=row_id).first()
        if row is None:
            raise serializers.ValidationError(self.unknown % {"id": row_id})
        return row


class LeadField(RowField):
    """One of the tenant's leads by its id."""

    model = Lead
    unknown = gettext_lazy("There is no lead %(id)s.")


class LeadInputSerializer(StrictSerializer):
    """What may be written about a lead; lengths and formats are the services' to check."""

    name = TextField(
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("By default the company, else the first e-mail address."),
    )
    company = TextField(required=False, allow_blank=True)
    title = TextField(required=False, allow_blank=True)
    emails = serializers.ListField(
        child=TextField(), required=False, help_text=gettext_lazy("The first is the primary one.")
    )
    phones = serializers.ListField(
        child=TextField(), required=False, help_text=gettext_lazy("The first is the primary one.")
    )
    profiles = serializers.ListField(
        child=TextField(),
        required=False,
        help_text=gettext_lazy("LinkedIn profiles; the first is the primary one."),
    )
    owner = OwnerField(
        required=False,
        allow_null=True,
        help_text=gettext_lazy("A member's id or e-mail address; null is nobody."),
    )
    source = TextField(  # type: ignore[assignment]
        required=False, help_text=gettext_lazy("By default api.")
    )
    value = MoneyField(max_digits=14, decimal_places=2, required=False, allow_null=True)
    currency = TextField(required=False, help_text=gettext_lazy("Three letters, such as EUR."))
    tags = serializers.ListField(child=TextField(), required=False)
    custom_fields = serializers.DictField(
        required=False, help_text=gettext_lazy("Takes the place of all that were there.")
    )
    external_id = TextField(
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("The id in another system; no two leads share one."),
    )
    time_zone = TextField(
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("Such as Europe/Berlin; empty: as country or phone number tell."),
    )
    country = TextField(
        required=False, allow_blank=True, help_text=gettext_lazy("Two letters, such as DE.")
    )
    stage = StageField(
        required=False,
        help_text=gettext_lazy(
            "Its id or name; by default the first of the default pipeline. One of kind won or"
            " lost closes the deal."
        ),
    )
    lost_reason = TextField(
        required=False, help_text=gettext_lazy("Needed with a stage of kind lost.")
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The fields, if a reason comes with the stage that it is for."""
        stage = attrs.get("stage")
        if "lost_reason" in attrs and (stage is None or stage.kind != "lost"):
            raise serializers.ValidationError(
                {"lost_reason": _("A reason goes with a stage of kind lost.")}
            )
        return attrs


class NoteSerializer(serializers.ModelSerializer[Note]):
    """A note on a lead."""

    author = PersonSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Note
        fields = ["id", "body", "author", "created_at"]
        read_only_fields = fields


class NoteInputSerializer(StrictSerializer):
    """What a note says."""

    body = TextField(allow_blank=True, trim_whitespace=False)


class CaptureInputSerializer(StrictSerializer):
    """A text that a lead stands in."""

    text = TextField(
        max_length=LONGEST_TEXT,
        trim_whitespace=False,
        help_text=gettext_lazy("A mail, a filled web form, a signature, a note of a call."),
    )
    source = TextField(  # type: ignore[assignment]
        default="capture", help_text=gettext_lazy("Of a new lead; by default capture.")
    )
    dry_run = serializers.BooleanField(
        default=False, help_text=gettext_lazy("Tell what would be found, and write nothing.")
    )


class FindingSerializer(serializers.Serializer[Finding]):
    """A fact that stands in the text."""

    field = serializers.ChoiceField(FOUND_FIELDS)
    value = serializers.CharField(help_text=gettext_lazy("In normal form."))
    rule = serializers.CharField(help_text=gettext_lazy("What found it."))
    start = serializers.IntegerField(
        help_text=gettext_lazy("Where in the text it stands, in characters.")
    )
    end = serializers.IntegerField(help_text=gettext_lazy("The place after its last character."))


class CaptureSerializer(serializers.Serializer[Capture]):
    """What came of a text."""

    lead = LeadSerializer(
        allow_null=True,
        help_text=gettext_lazy("Null only in a dry run, when the lead would be a new one."),
    )
    created = serializers.BooleanField(
        help_text=gettext_lazy("Whether the lead is new; in a dry run, whether it would be.")
    )
    dry_run = serializers.BooleanField()
    found = FindingSerializer(many=True)
