"""How the API tells failures, and what it takes to triage them."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from events.failures.queries import MOST_STANDING, SLOTS
from events.failures.triage import LONGEST_ADDRESS, LONGEST_NOTE
from events.models import FailureGroup
from salesflow.accounts.models import User
from salesflow.accounts.queries import find_member
from salesflow.accounts.rest.serializers import StrictSerializer, TextField


class FailureSerializer(serializers.Serializer[Any]):
    """What fails at a handler in one way."""

    fingerprint = serializers.UUIDField(read_only=True)
    handler = serializers.CharField(read_only=True)
    error_type = serializers.CharField(read_only=True)
    frame = serializers.CharField(
        read_only=True, help_text=gettext_lazy("Module and function in which it was raised.")
    )
    message = serializers.CharField(
        read_only=True, help_text=gettext_lazy("With numbers, ids and quoted text masked.")
    )
    state = serializers.ChoiceField(FailureGroup.State.choices, read_only=True)
    state_changed_at = serializers.DateTimeField(source="since", read_only=True)
    reopened_at = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text=gettext_lazy(
            "When it came back after it had been resolved; null once somebody has decided anew."
        ),
    )
    owner_id = serializers.IntegerField(
        source="owner.pk", default=None, read_only=True, allow_null=True
    )
    note = serializers.CharField(read_only=True)
    ticket_url = serializers.CharField(read_only=True)
    version = serializers.CharField(
        read_only=True,
        help_text=gettext_lazy("Of state, owner, note and ticket: send it back with a decision."),
    )
    occurrences = serializers.IntegerField(
        read_only=True, help_text=gettext_lazy("Failed attempts in all.")
    )
    standing = serializers.IntegerField(
        read_only=True,
        max_value=MOST_STANDING,
        help_text=gettext_lazy("Deliveries that stand as failed now, counted up to 1,000."),
    )
    first_seen_at = serializers.DateTimeField(source="first_seen", read_only=True)
    last_seen_at = serializers.DateTimeField(source="last_seen", read_only=True)
    last_event_id = serializers.UUIDField(read_only=True, allow_null=True)
    last_day = serializers.ListField(
        source="spark",
        child=serializers.IntegerField(),
        min_length=SLOTS,
        max_length=SLOTS,
        read_only=True,
        help_text=gettext_lazy("Occurrences of the last 24 hours by half hours, the oldest first."),
    )


class TriageSerializer(StrictSerializer):
    """What to change about a failure; what is left out stays."""

    state = serializers.ChoiceField(FailureGroup.State.choices, required=False)
    note = TextField(required=False, allow_blank=True, max_length=LONGEST_NOTE)
    ticket_url = TextField(required=False, allow_blank=True, max_length=LONGEST_ADDRESS)
    owner = TextField(
        required=False,
        allow_null=True,
        help_text=gettext_lazy("A member's id or e-mail address; null: nobody."),
    )

    version = TextField(
        required=False,
        max_length=64,
        help_text=gettext_lazy(
            "As you have read it: 409, and nothing is changed, if somebody has decided since."
        ),
    )

    def validate_owner(self, text: str | None) -> User | None:
        """The member of the team who is called so."""
        owner = find_member(text) if text else None
        if text and owner is None:
            raise serializers.ValidationError(
                _("No member of the team is “%(owner)s”.") % {"owner": text}
            )
        return owner

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """Something has to be given."""
        decisions = [name for name in self.get_fields() if name != "version"]
        if given.keys().isdisjoint(decisions):
            names = ", ".join(decisions)
            raise serializers.ValidationError(_("Give one of: %(names)s.") % {"names": names})
        return given
