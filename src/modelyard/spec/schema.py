"""The JSON Schema of `yard.yaml` (draft 2020-12), by which editors complete and check it."""

from __future__ import annotations

from typing import Any

from modelyard.spec.types import Spec


def json_schema() -> dict[str, Any]:
    """The schema as a JSON value."""
    schema = _plain(Spec.model_json_schema(by_alias=True, mode="validation"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "yard.yaml",
        "description": "The declaration of a Modelyard project.",
    }


def _plain(value: Any) -> Any:
    """Without titles, and without null where it only means "not given": in the file that is said by leaving it out."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _plain(item) for name, item in value.items() if not (name == "title" and isinstance(item, str))}
    if kept.get("default", ...) is None:
        del kept["default"]
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    alternatives = kept.get("anyOf")
    if not isinstance(alternatives, list):
        return kept
    given = [item for item in alternatives if item != {"type": "null"}]
    if len(given) == 1 and not set(given[0]) & set(kept):
        return {**given[0], **{name: item for name, item in kept.items() if name != "anyOf"}}
    return {**kept, "anyOf": given}
