"""The JSON Schema of `yard.yaml` (draft 2020-12), by which editors complete and check it."""

from __future__ import annotations

from typing import Any

from modelyard.spec.types import Spec


def json_schema() -> dict[str, Any]:
    """The schema as a JSON value."""
    schema = Spec.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "yard.yaml",
        "description": "The declaration of a Modelyard project.",
    }
