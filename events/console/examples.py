"""Examples of payloads, made from their JSON Schema where no event can be shown."""

import json
from typing import Any

from events.payloads import Payload

# A schema that refers to itself would go on for ever.
DEEPEST = 6

BY_FORMAT = {
    "uuid": "0196f3a0-5c1e-7b3a-9d52-6a1f0c9e4b7d",
    "date-time": "2026-05-04T12:00:00Z",
    "date": "2026-05-04",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "somebody@example.com",
    "uri": "https://example.com/",
}
BY_TYPE = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}


def example_of(payload: type[Payload]) -> str:
    """A payload of that type, indented: every field, with values of the right kind."""
    schema = payload.model_json_schema()
    made = _made(schema, schema.get("$defs", {}), DEEPEST)
    return json.dumps(made, indent=4, ensure_ascii=False)


def _made(schema: dict[str, Any], known: dict[str, Any], depth: int) -> Any:
    if depth == 0:
        return None
    for word in ("const", "default"):
        if schema.get(word) is not None:
            return schema[word]
    if "$ref" in schema:
        return _made(known.get(schema["$ref"].rpartition("/")[2], {}), known, depth)
    if listed := schema.get("examples") or schema.get("enum"):
        return listed[0]
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return _made(choices[0], known, depth - 1)
    return _of_type(schema, known, depth)


def _of_type(schema: dict[str, Any], known: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {})
        return {name: _made(field, known, depth - 1) for name, field in fields.items()}
    if kind == "array":
        places = schema.get("prefixItems") or [schema.get("items") or {}]
        return [_made(place, known, depth - 1) for place in places if place]
    return BY_FORMAT.get(schema.get("format", ""), BY_TYPE.get(str(kind), "…"))
