"""How the API tells the funnel, and what it takes to ask for it."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analytics.queries import Funnel, Money, Step, Tally
from analytics.service_levels import ServiceLevel
from leads.models import Outcome


class DaysParameters(serializers.Serializer[Any]):
    """A range of days as query parameters."""

    since = serializers.DateField(
        required=False, help_text=gettext_lazy("First day, in the tenant's time zone.")
    )
    until = serializers.DateField(required=False, help_text=gettext_lazy("Last day."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a range that ends before it begins."""
        if attrs.get("since") and attrs.get("until") and attrs["until"] < attrs["since"]:
            raise serializers.ValidationError({"until": [_("That is before “since”.")]})
        return attrs


class FunnelParameters(DaysParameters):
    """The query parameters of the funnel: the days are those on which the leads came in."""

    pipeline = serializers.UUIDField(
        required=False, help_text=gettext_lazy("Its id; by default the default pipeline.")
    )


class ServiceLevelSerializer(serializers.Serializer[ServiceLevel]):
    """How long one step of messages took on one channel."""

    channel = serializers.CharField()
    step = serializers.ChoiceField(
        choices=["stored", "answered", "sent", "delivered"],
        help_text=gettext_lazy(
            "stored: received by the vendor until stored here; answered: until our answer went out;"
            " sent: queued until the vendor took it over; delivered: until it reached the lead."
        ),
    )
    messages = serializers.IntegerField(help_text=gettext_lazy("How many were measured."))
    p50_ms = serializers.IntegerField(help_text=gettext_lazy("Half of them took no longer."))
    p95_ms = serializers.IntegerField(help_text=gettext_lazy("95 of 100 took no longer."))


class ServiceLevelsSerializer(serializers.Serializer[Any]):
    """How fast messages are stored, answered, sent and delivered."""

    since = serializers.DateField(allow_null=True)
    until = serializers.DateField(allow_null=True)
    levels = ServiceLevelSerializer(many=True)


class AmountSerializer(serializers.Serializer[Any]):
    """A sum in one currency."""

    currency = serializers.CharField(help_text=gettext_lazy("ISO 4217."))
    amount = serializers.DecimalField(max_digits=20, decimal_places=2)


@extend_schema_field(AmountSerializer(many=True))
class AmountsField(serializers.Field[Any, Any, Any, Any]):
    """Sums, one a currency: what is in different currencies is never added."""

    def to_representation(self, value: Money) -> Any:
        """An object for each currency."""
        amounts = [{"currency": currency, "amount": amount} for currency, amount in value.items()]
        return AmountSerializer(amounts, many=True).data


@extend_schema_field({"type": ["number", "null"]})
class SecondsField(serializers.Field[Any, Any, Any, Any]):
    """A length of time in seconds."""

    def to_representation(self, value: timedelta) -> float:
        """The seconds."""
        return value.total_seconds()


class TallySerializer(serializers.Serializer[Tally]):
    """Leads by what became of them."""

    leads = serializers.IntegerField()
    open = serializers.IntegerField()
    won = serializers.IntegerField()
    lost = serializers.IntegerField()
    open_value = AmountsField()
    won_value = AmountsField()
    lost_value = AmountsField()
    win_rate = serializers.FloatField(
        allow_null=True, help_text=gettext_lazy("Share of the closed deals that were won, 0 to 1.")
    )


class StepSerializer(serializers.Serializer[Step]):
    """A stage of the funnel."""

    id = serializers.UUIDField(source="stage.id")
    name = serializers.CharField(source="stage.name")
    kind = serializers.ChoiceField(source="stage.kind", choices=Outcome.choices)
    probability = serializers.IntegerField(source="stage.probability")
    reached = serializers.IntegerField(
        help_text=gettext_lazy(
            "Leads that came at least this far; into a stage that closes, those that are in it."
        )
    )
    current = serializers.IntegerField(
        source="current.leads", help_text=gettext_lazy("Leads that are in it now.")
    )
    value = AmountsField(source="current.value", help_text=gettext_lazy("Of those."))
    conversion_step = serializers.FloatField(
        allow_null=True,
        help_text=gettext_lazy("Share of those who reached the stage before, 0 to 1."),
    )
    conversion_overall = serializers.FloatField(
        allow_null=True, help_text=gettext_lazy("Share of all leads, 0 to 1.")
    )
    median_seconds = SecondsField(
        source="median_time", help_text=gettext_lazy("Median of the stays in it that have ended.")
    )


class SourceSerializer(TallySerializer):
    """The leads of one source."""

    source = serializers.CharField()  # type: ignore[assignment]


class FunnelPipelineSerializer(serializers.Serializer[Any]):
    """The pipeline that a funnel is about."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class FunnelSerializer(serializers.Serializer[Funnel]):
    """What became of the leads of a pipeline."""

    pipeline = FunnelPipelineSerializer()
    since = serializers.DateField(allow_null=True)
    until = serializers.DateField(allow_null=True)
    totals = TallySerializer()
    median_seconds_to_win = SecondsField(
        source="median_time_to_win",
        help_text=gettext_lazy("From a lead's creation to its won deal, the median."),
    )
    stages = StepSerializer(source="steps", many=True)
    sources = SourceSerializer(many=True, help_text=gettext_lazy("The largest first."))
