"""The catalogue: every event type, what it says, who publishes it and who listens."""

import inspect
import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.apps import apps
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from events import rates, registry
from events.console.addresses import list_url
from events.console.examples import example_of
from events.console.listing import Listing
from events.console.observed import HOURS
from events.console.pages import console_page, console_path
from events.console.payloads import shown_payload
from events.console.permissions import VIEW, require
from events.console.queues import tenants_seen_by
from events.console.rate_charts import throughput
from events.models import Event, Tally
from events.payloads import Payload, payload_types
from events.publishers import Declaration, Publisher
from events.rates import Activity, Rate
from events.registry import Handler
from events.selections import Selection
from events.types import label_of


@dataclass(frozen=True)
class Occasion:
    """A model that publishes events of a type, and when.

    Attributes:
        model: its label; `where` is the module that declares it.
    """

    model: str
    where: str
    on: tuple[str, ...]
    fields: tuple[str, ...]

    @property
    def text(self) -> str:
        """When it does, in words."""
        if self.on == ("create",):
            return _("when a row is created")
        values = {"fields": ", ".join(self.fields)}
        if self.on == ("change",):
            return _("when one of these changes: %(fields)s") % values
        return _("when a row is created, or one of these changes: %(fields)s") % values


@dataclass(frozen=True)
class Entry:
    """One event type.

    Attributes:
        payload: its class.
        occasions: the models that publish it; without any it is published by services alone.
        day: what became of its events in the last 24 hours.
    """

    name: str
    payload: type[Payload]
    occasions: list[Occasion]
    day: Rate
    handlers: list[Handler] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The type in words, where it has some."""
        return label_of(self.name)

    @property
    def version(self) -> int:
        """Of the payload (templates would call the class itself)."""
        return self.payload.version

    @property
    def explanation(self) -> str:
        """What the payload class says of itself."""
        return inspect.cleandoc(self.payload.__doc__ or "")

    @property
    def declared_in(self) -> str:
        """Where the payload class is."""
        return f"{self.payload.__module__}.{self.payload.__qualname__}"

    @cached_property
    def schema(self) -> str:
        """What a payload has to look like, as JSON Schema."""
        return json.dumps(self.payload.model_json_schema(), indent=2, ensure_ascii=False)

    @property
    def fields(self) -> list[tuple[str, str, str]]:
        """Name, type and peculiarities of each field."""
        masked = self.payload.masked_fields()
        return [
            (name, _type_of(info.annotation), self._traits(info.is_required(), name in masked))
            for name, info in self.payload.model_fields.items()
        ]

    def _traits(self, is_required: bool, is_masked: bool) -> str:
        traits = [] if is_required else [_("may be left out")]
        return ", ".join([*traits, _("masked")] if is_masked else traits)


def catalogue(request: HttpRequest) -> HttpResponse:
    """All types that installed apps declare."""
    require(request, VIEW)
    entries = _entries(_last_day(request.user))
    template = "admin/events/catalogue/list.html"
    return console_page(request, template, title=_("Catalogue"), entries=entries)


def catalogue_type(request: HttpRequest, name: str) -> HttpResponse:
    """One type, with an example."""
    require(request, VIEW)
    activity = _last_day(request.user)
    entry = next((entry for entry in _entries(activity) if entry.name == name), None)
    if entry is None:
        raise Http404
    newest = _newest(name, request.user)
    selection = Selection(type=name)
    hours = rates.by_time({name: activity.types.get(name, [])}, activity.starts)
    return console_page(
        request,
        "admin/events/catalogue/type.html",
        title=entry.label,
        entry=entry,
        newest=newest,
        example=shown_payload(newest).text if newest else example_of(entry.payload),
        chart=throughput(_("Events an hour, last day"), hours, Tally.Span.HOUR, type=name),
        list_url=list_url(selection),
    )


def _last_day(user: Any) -> Activity:
    return rates.activity(Tally.Span.HOUR, HOURS, tenants_seen_by(user), by_type=True)


def _newest(name: str, user: Any) -> Event | None:
    """The latest event of that type that the user may see, read from an index of its tenant."""
    return next(iter(Listing(Selection(type=name), user).page().rows), None)


def _entries(activity: Activity) -> list[Entry]:
    occasions = occasions_by_type()
    return [
        Entry(
            name,
            payload,
            occasions[name],
            rates.summed(activity.types.get(name, []), activity.starts[0]),
            registry.handlers_of(name),
        )
        for name, payload in sorted(payload_types().items())
    ]


def occasions_by_type() -> dict[str, list[Occasion]]:
    """Event type → the models that publish it; empty for those that services publish."""
    found: dict[str, list[Occasion]] = defaultdict(list)
    for model in apps.get_models():
        for declared in model.declarations if issubclass(model, Publisher) else ():
            found[declared.payload.event_type].append(_occasion(model, declared))
    return found


def _occasion(model: Any, declared: Declaration) -> Occasion:
    moments = tuple(moment for moment in ("create", "change") if moment in declared.on)
    return Occasion(model._meta.label, model.__module__, moments, declared.fields)


def _type_of(annotation: Any) -> str:
    """A type as its declaration has it: “UUID”, “str | None”."""
    if inspect.isclass(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


urls = [
    console_path("events/catalogue/", catalogue, "catalogue"),
    console_path("events/catalogue/<path:name>/", catalogue_type, "catalogue_type"),
]
