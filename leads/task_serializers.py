"""How the API tells tasks and meetings, and what it takes to write them."""

from django.utils.translation import gettext_lazy
from rest_framework import serializers

from leads.models import Meeting, Task
from leads.serializers import LeadField, OwnerField, PersonSerializer
from salesflow.accounts.rest.serializers import StrictSerializer, TextField


class TaskSerializer(serializers.ModelSerializer[Task]):
    """Something to do about a lead."""

    lead_name = serializers.CharField(source="lead.name", read_only=True)
    assignee = PersonSerializer(read_only=True, allow_null=True)
    settled_by = PersonSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Task
        fields = [
            "id",
            "lead_id",
            "lead_name",
            "kind",
            "title",
            "body",
            "due_at",
            "assignee",
            "state",
            "reason",
            "source",
            "source_id",
            "created_at",
            "settled_at",
            "settled_by",
        ]
        read_only_fields = fields


class TaskInputSerializer(StrictSerializer):
    """A task to add; lengths are the service's to check."""

    lead = LeadField(help_text=gettext_lazy("The id of the lead that it is about."))
    title = TextField(allow_blank=True)
    body = TextField(required=False, allow_blank=True, trim_whitespace=False)
    kind = serializers.ChoiceField(
        Task.Kind.choices, required=False, help_text=gettext_lazy("By default todo.")
    )
    due_at = serializers.DateTimeField(required=False, allow_null=True)
    assignee = OwnerField(
        required=False,
        allow_null=True,
        help_text=gettext_lazy("A member's id or e-mail address; null is whoever takes it."),
    )
    source = TextField(  # type: ignore[assignment]
        required=False,
        allow_blank=True,
        max_length=50,
        help_text=gettext_lazy("Which program asks for it."),
    )
    source_id = TextField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text=gettext_lazy("What it calls it: asked for twice for a lead, there is one task."),
    )


class TaskChangeSerializer(StrictSerializer):
    """Who is to do a task."""

    assignee = OwnerField(
        allow_null=True,
        help_text=gettext_lazy("A member's id or e-mail address; null is whoever takes it."),
    )


class TaskSkipSerializer(StrictSerializer):
    """Why a task is not done."""

    reason = TextField(required=False, allow_blank=True)


class MeetingSerializer(serializers.ModelSerializer[Meeting]):
    """A meeting with a lead."""

    booked_by = PersonSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Meeting
        fields = [
            "id",
            "lead_id",
            "title",
            "starts_at",
            "booked_by",
            "source",
            "external_id",
            "created_at",
        ]
        read_only_fields = fields


class MeetingInputSerializer(StrictSerializer):
    """A meeting to keep."""

    title = TextField(allow_blank=True)
    starts_at = serializers.DateTimeField()
    source = TextField(  # type: ignore[assignment]
        required=False,
        allow_blank=True,
        max_length=50,
        help_text=gettext_lazy("Which program tells of it."),
    )
    external_id = TextField(
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("What it calls it: told twice, there is one meeting."),
    )
