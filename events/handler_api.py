"""Handlers over HTTP: what each declares, what it did for the tenant; pause and resume."""

from typing import Any

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from events import breakers, rates, registry
from events.circuit import CircuitState
from events.models import HandlerPause, Tally
from events.pauses import UnknownHandler, pause_handler, resume_handler
from events.registry import Handler
from events.tallies import quantile
from salesflow.accounts.context import _current_tenant
from salesflow.accounts.rest.idempotency import IdempotentPostMixin
from salesflow.accounts.rest.routes import api_path
from salesflow.accounts.rest.serializers import StrictSerializer, TextField

MINUTES = 60
LONGEST_REASON = 500


class MayPause(BasePermission):
    """Lets in superusers alone: handlers serve all tenants."""

    message = _("Only superusers may do this: handlers serve all tenants.")

    def has_permission(self, request: Request, view: Any) -> bool:
        """True for a superuser who is logged in; never for an API key."""
        return bool(request.user and request.user.is_active and request.user.is_superuser)


class HourSerializer(serializers.Serializer[Any]):
    """What a handler did for the tenant in the last hour."""

    succeeded = serializers.IntegerField(help_text=_("Events that it handled."))
    failed = serializers.IntegerField(help_text=_("Events at which it gave up."))
    retried = serializers.IntegerField(help_text=_("Attempts that failed and are made again."))
    median_seconds = serializers.FloatField(
        allow_null=True, help_text=_("Half of the events took no longer.")
    )
    p95_seconds = serializers.FloatField(
        allow_null=True, help_text=_("95 % of the events took no longer.")
    )


class PauseSerializer(serializers.Serializer[Any]):
    """Since when a handler is paused, and why."""

    reason = serializers.CharField()
    since = serializers.DateTimeField()


class HandlerSerializer(serializers.Serializer[Any]):
    """A handler: what it declares, and how it is."""

    name = serializers.CharField()
    module = serializers.CharField()
    types = serializers.ListField(
        child=serializers.CharField(), help_text=_("The event types that it listens to.")
    )
    effects = serializers.ChoiceField(["database", "external"])
    on_replay = serializers.ChoiceField(["run", "skip"])
    ordered = serializers.BooleanField()
    batch = serializers.BooleanField()
    max_attempts = serializers.IntegerField()
    timeout_seconds = serializers.FloatField(allow_null=True)
    concurrency = serializers.IntegerField(allow_null=True)
    breaker = serializers.ChoiceField(
        CircuitState.choices, allow_null=True, help_text=_("The state of its circuit.")
    )
    paused = PauseSerializer(allow_null=True)
    last_hour = HourSerializer()


class ReasonSerializer(StrictSerializer):
    """Why a handler is paused."""

    reason = TextField(max_length=LONGEST_REASON)


class OptionalReasonSerializer(StrictSerializer):
    """Why a handler is resumed."""

    reason = TextField(max_length=LONGEST_REASON, required=False, allow_blank=True, default="")


class HandlerList(IdempotentPostMixin):
    """All handlers."""

    @extend_schema(
        summary=_("List handlers with what they did in the last hour"),
        responses=HandlerSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Answer with all of them, by name; they are as many as the code declares."""
        return Response(_told(registry.all_handlers()))


class _HandlerAction(IdempotentPostMixin, generics.GenericAPIView[Any]):
    permission_classes = [MayPause]

    def given_reason(self, request: Request) -> str:
        """What the request says.

        Raises:
            ValidationError: it is missing, too long, or beside unknown fields.
        """
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        return str(given.validated_data["reason"])

    def answer(self, name: str) -> Response:
        """The handler as it is now.

        Raises:
            Http404: no installed app declares it.
        """
        handler = registry.get_handler(name)
        if handler is None:
            raise Http404
        return Response(_told([handler])[0])


class HandlerPauseView(_HandlerAction):
    """Pauses a handler."""

    serializer_class = ReasonSerializer

    @extend_schema(
        summary=_("Pause a handler: what comes for it waits"), responses=HandlerSerializer
    )
    def post(self, request: Request, name: str) -> Response:
        """Pause it; where somebody else has done so, their reason stands and is answered."""
        reason = self.given_reason(request)
        try:
            pause_handler(name, actor=request.user, reason=reason)  # type: ignore[arg-type]
        except UnknownHandler as error:
            raise Http404 from error
        return self.answer(name)


class HandlerResumeView(_HandlerAction):
    """Resumes a handler."""

    serializer_class = OptionalReasonSerializer

    @extend_schema(
        summary=_("Resume a handler: what has waited goes first"), responses=HandlerSerializer
    )
    def post(self, request: Request, name: str) -> Response:
        """Resume it, if it is paused."""
        reason = self.given_reason(request)
        if registry.get_handler(name):
            resume_handler(name, actor=request.user, reason=reason)  # type: ignore[arg-type]
        return self.answer(name)


# --- What is told -------------------------------------------------------------------------------


def _told(handlers: list[Handler]) -> list[dict[str, Any]]:
    """The handlers as `HandlerSerializer` has them, in five queries."""
    tenant = _current_tenant.get()
    tenants = [tenant.id] if tenant else []
    activity = rates.activity(Tally.Span.MINUTE, MINUTES, tenants)
    durations = rates.durations(Tally.Span.MINUTE, MINUTES, tenants)
    circuits = {state.key: str(state.state) for state in breakers.states()}
    pauses = HandlerPause.objects.in_bulk()
    return [
        {
            **_declared(handler),
            "breaker": circuits.get(handler.name) if handler.breaker else None,
            "paused": _paused(pauses.get(handler.name)),
            "last_hour": {
                **_figures(activity, handler.name),
                "median_seconds": quantile(durations.get(handler.name, []), 0.5),
                "p95_seconds": quantile(durations.get(handler.name, []), 0.95),
            },
        }
        for handler in handlers
    ]


def _declared(handler: Handler) -> dict[str, Any]:
    return {
        "name": handler.name,
        "module": handler.module,
        "types": sorted(handler.types),
        "effects": handler.effects,
        "on_replay": handler.on_replay,
        "ordered": handler.ordered,
        "batch": handler.batch,
        "max_attempts": handler.retry.max_attempts,
        "timeout_seconds": handler.timeout if handler.is_external else None,
        "concurrency": handler.concurrency,
    }


def _paused(pause: HandlerPause | None) -> dict[str, Any] | None:
    return {"reason": pause.reason, "since": pause.paused_at} if pause else None


def _figures(activity: rates.Activity, name: str) -> dict[str, int]:
    hour = rates.summed(activity.handlers.get(name, []), activity.starts[0])
    return {"succeeded": hour.succeeded, "failed": hour.failed, "retried": hour.retried}


urlpatterns: list[Any] = [
    api_path("handlers", HandlerList.as_view(), "api-handlers"),
    api_path("handlers/<path:name>/pause", HandlerPauseView.as_view(), "api-handler-pause"),
    api_path("handlers/<path:name>/resume", HandlerResumeView.as_view(), "api-handler-resume"),
]
