"""Answers by a schema: how they are asked for, and how they are checked.

Checked here always: a server may take a schema and not follow it. llama.cpp's answers freely when
it cannot make a grammar of the schema, and nobody is told.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from channels.autopilot.completions import Form, Unreadable

# What all servers' strict modes and grammars understand; the rest is checked here.
KEPT = {"type", "properties", "required", "items", "enum", "const", "anyOf", "description"}
DEEPEST = 20
FENCED = re.compile(r"```(?:json|JSON)?[ \t]*\n(?P<inside>.*?)\n?```", re.DOTALL)


def schema_of(wanted: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model as OpenAI's strict mode wants it: plain, closed, all required.

    Source: OpenAI, "Structured outputs", "Supported schemas".

    Raises:
        ValueError: the model contains itself.
    """
    whole = wanted.model_json_schema()
    return _closed(whole, whole.get("$defs", {}), DEEPEST)


def response_format(wanted: type[BaseModel], form: Form) -> dict[str, Any] | None:
    """The request's `response_format`; None: the endpoint is known to take none."""
    if form == "json_schema":
        schema = {"name": wanted.__name__, "strict": True, "schema": schema_of(wanted)}
        return {"type": form, "json_schema": schema}
    return {"type": form} if form == "json_object" else None


def instruction(wanted: type[BaseModel]) -> str:
    """What tells a model in words which JSON it shall write, where no option can."""
    schema = json.dumps(schema_of(wanted), ensure_ascii=False, separators=(",", ":"))
    return f"Answer with one JSON object and nothing else. It must fit this JSON Schema:\n{schema}"


def read(text: str, wanted: type[BaseModel]) -> BaseModel:
    """The answer as the wanted model.

    One JSON object, alone or in one fence of three backticks. Names that stand twice are refused:
    programs differ in which of the two counts.

    Raises:
        Unreadable: it is none, or does not fit.
    """
    bare = text.strip()
    fences = [] if bare.startswith("{") else FENCED.findall(bare)
    if fences:
        bare = fences[0] if len(fences) == 1 else ""
    try:
        json.loads(bare, object_pairs_hook=_unique, parse_constant=_refuse)
        return wanted.model_validate_json(bare, strict=True)
    except (ValidationError, ValueError, RecursionError):
        fault = Unreadable()
    raise fault


def _closed(part: Mapping[str, Any], known: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if not depth:
        raise ValueError("a schema that contains itself")
    if "$ref" in part:
        return _closed(known[part["$ref"].rpartition("/")[2]], known, depth - 1)
    kept = {name: value for name, value in part.items() if name in KEPT}
    if "anyOf" in kept:
        kept["anyOf"] = [_closed(each, known, depth - 1) for each in kept["anyOf"]]
    if isinstance(kept.get("items"), Mapping):
        kept["items"] = _closed(kept["items"], known, depth - 1)
    if "properties" in kept:
        inside = kept["properties"]
        kept["properties"] = {name: _closed(inside[name], known, depth - 1) for name in inside}
        kept |= {"required": list(inside), "additionalProperties": False}
    return kept


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
