"""Prints what publishes which events, and who handles them."""

from collections.abc import Iterable
from typing import Any

from django.apps import apps

from events import registry
from events.payloads import payload_types
from events.publishers import Declaration, Publisher
from salesflow.accounts.commands import PlainCommand

Node = tuple[str, list["Node"]]


class Command(PlainCommand):
    """Model → event → handlers, as a tree."""

    help = "Prints which models publish which events, and which handlers react, as a tree."

    def handle(self, **options: Any) -> None:
        """Print the tree."""
        for title, children in event_map():
            self.stdout.write(title)
            for line in _lines(children):
                self.stdout.write(line)


def event_map() -> list[Node]:
    """A tree for each model that publishes, and one for what services publish."""
    models = [model for model in apps.get_models() if issubclass(model, Publisher)]
    trees = [(model._meta.label, _events_of(model)) for model in models]
    by_models = {d.payload.event_type for model in models for d in model.declarations}
    others = [_event(name) for name in sorted(payload_types()) if name not in by_models]
    return [*trees, ("Published by services", others)] if others else trees


def _events_of(model: type[Publisher]) -> list[Node]:
    return [_event(d.payload.event_type, _occasion(d)) for d in model.declarations]


def _occasion(declared: Declaration) -> str:
    fields = f" of {', '.join(declared.fields)}" if declared.fields else ""
    return "  on " + " and ".join(sorted(declared.on, reverse=True)) + fields


def _event(event_type: str, occasion: str = "") -> Node:
    handlers = registry.handlers_of(event_type)
    return f"{event_type}{occasion}", [(_described(handler), []) for handler in handlers]


def _described(handler: registry.Handler) -> str:
    traits: list[str] = [handler.effects]
    traits += ["batch"] if handler.batch else []
    traits += ["not on replay"] if handler.skips_replays else []
    return f"{handler.name}  {handler.module}  ({', '.join(traits)})"


def _lines(nodes: list[Node], indent: str = "") -> Iterable[str]:
    for number, (title, children) in enumerate(nodes, start=1):
        last = number == len(nodes)
        yield f"{indent}{'└── ' if last else '├── '}{title}"
        yield from _lines(children, indent + ("    " if last else "│   "))
