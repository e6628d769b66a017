"""The JSON Schema accepts what the loader accepts, and refuses what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from modelyard.spec import json_schema, load

SCHEMA = json_schema()
DECLARED = Path(__file__).parent.parent / "cases/declared"
NOTES = {"$schema", "$defs", "title", "description", "default", "examples"}


def mistakes(value: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """What a value breaks: exactly the keywords that our schema uses; any other keyword is an error here."""
    found: list[str] = []
    for keyword, rule in schema.items():
        match keyword:
            case _ if keyword in NOTES:
                continue
            case "$ref":
                found += mistakes(value, SCHEMA["$defs"][rule.rpartition("/")[2]], path)
            case "anyOf":
                if all(mistakes(value, item, path) for item in rule):
                    found.append(f"{path}: none of {len(rule)} alternatives")
            case "type":
                kinds = [rule] if isinstance(rule, str) else rule
                if not any(is_a(value, kind) for kind in kinds):
                    found.append(f"{path}: not {rule}")
            case "enum" | "const":
                if value not in (rule if keyword == "enum" else [rule]):
                    found.append(f"{path}: not {rule}")
            case "pattern":
                if isinstance(value, str) and not re.search(rule, value):
                    found.append(f"{path}: not {rule}")
            case "required":
                found += [f"{path}: no {name}" for name in rule if isinstance(value, dict) and name not in value]
            case "properties":
                for name, item in rule.items():
                    if isinstance(value, dict) and name in value:
                        found += mistakes(value[name], item, f"{path}.{name}")
            case "additionalProperties" | "patternProperties":
                found += others(value, schema, path) if keyword == "additionalProperties" else []
            case "propertyNames":
                found += [m for name in value for m in mistakes(name, rule, path)] if isinstance(value, dict) else []
            case "items":
                if isinstance(value, list):
                    found += [m for index, item in enumerate(value) for m in mistakes(item, rule, f"{path}[{index}]")]
            case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
                found += bound(value, keyword, rule, path)
            case "maxLength":
                found += [f"{path}: too long"] if isinstance(value, str) and len(value) > rule else []
            case "maxProperties":
                found += [f"{path}: too many"] if isinstance(value, dict) and len(value) > rule else []
            case _:
                raise AssertionError(f"a keyword that this test does not know: {keyword}")
    return found


def others(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    found = []
    for name, item in value.items():
        if name in schema.get("properties", {}):
            continue
        rule = next(
            (rule for pattern, rule in schema.get("patternProperties", {}).items() if re.search(pattern, name)),
            schema["additionalProperties"],
        )
        if rule is False:
            found.append(f"{path}.{name}: unknown")
        elif rule is not True:
            found += mistakes(item, rule, f"{path}.{name}")
    return found


def is_a(value: Any, kind: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "null": value is None,
        "integer": number and value == int(value),
        "number": number,
    }[kind]


def bound(value: Any, keyword: str, rule: float, path: str) -> list[str]:
    if not is_a(value, "number"):
        return []
    holds = {
        "minimum": value >= rule,
        "maximum": value <= rule,
        "exclusiveMinimum": value > rule,
        "exclusiveMaximum": value < rule,
    }[keyword]
    return [] if holds else [f"{path}: {keyword} {rule}"]


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_design_s_example_fits() -> None:
    assert mistakes(parsed((DECLARED / "yard.yaml").read_text()), SCHEMA) == []


def test_the_design_s_example_loads() -> None:
    assert set(load(DECLARED).spec.models) == {"late"}


def test_what_is_loaded_fits_too() -> None:
    assert mistakes(given(load(DECLARED).spec.model_dump(mode="json", by_alias=True)), SCHEMA) == []


def given(value: Any) -> Any:
    """A dumped declaration without the keys that are not set."""
    if isinstance(value, dict):
        return {name: given(item) for name, item in value.items() if item is not None}
    return [given(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{project: My Flights}",
        "{project: a, sorces: {}}",
        "{project: a, sources: {Upper: {uri: a.csv}}}",
        "{project: a, sources: {f: {uri: a.csv, freshness: soon}}}",
        "{project: a, sources: {f: {uri: a.csv, types: {y: integer}}}}",
        "{project: a, sources: {f: }}",
        "{project: a, models: {m: {task: custom, data: d, target: t, train: f}}}",
        "{project: a, deployments: {d: {model: m, strategy: blue_gren}}}",
        "{project: a, deployments: {d: {model: m, max_rows: 0}}}",
        "{project: a, deployments: {d: {model: m, strategy: {canary: {alpha: 2}}}}}",
    ],
)
def test_mistakes_do_not_fit(text: str) -> None:
    assert mistakes(parsed(text), SCHEMA)


@pytest.mark.parametrize(
    "strategy", ["replace", "canary", "{replace: {}}", "{canary: {}}", "{canary: {probation: 1d}}"]
)
def test_short_forms_fit(strategy: str) -> None:
    assert not mistakes(parsed(f"{{project: a, deployments: {{d: {{model: m, strategy: {strategy}}}}}}}"), SCHEMA)


def test_the_schema_names_its_draft_and_describes_every_key() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for name, item in [("Spec", SCHEMA), *SCHEMA["$defs"].items()]:
        for key, field in item.get("properties", {}).items():
            assert field.get("description"), f"{name}.{key}"
