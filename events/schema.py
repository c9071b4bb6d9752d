"""How the OpenAPI document describes the payloads of events."""

from typing import Any

from events.payloads import payload_types

REFERENCE = "#/components/schemas/{model}"


def describe_payloads(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Add the JSON Schema of every declared payload (a hook of drf-spectacular).

    Other objects are allowed beside them: an event outlives the app that declared its type.
    """
    schemas = result["components"]["schemas"]
    known: list[dict[str, Any]] = []
    for declared in payload_types().values():
        schema = declared.model_json_schema(ref_template=REFERENCE, mode="serialization")
        schemas.update(schema.pop("$defs", {}))
        schemas[declared.__name__] = schema
        known.append({"$ref": REFERENCE.format(model=declared.__name__)})
    for name in ("Event", "EventDetail"):
        if name in schemas:
            schemas[name]["properties"]["payload"] = {"anyOf": [*known, {"type": "object"}]}
    return result
