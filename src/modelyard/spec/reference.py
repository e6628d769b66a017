"""The reference of `yard.yaml` as Markdown, from the types: `python -m modelyard.spec.reference > yard-yaml.md`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from modelyard.spec import shapes
from modelyard.spec.metrics import METRICS, PAIRED, RATES
from modelyard.spec.types import Spec
from modelyard.spec.values import Budget, Margin, OutOf, Share, show_duration

INTRODUCTION = """# yard.yaml

Every key of the declaration. This page is generated (`python -m modelyard.spec.reference`); editors complete and check
the file by the schema that `yard schema` prints.

The file is YAML 1.2 and strict: unknown keys, dangling names and wrong values are errors that name their place, all at
once. Durations are written `90s 30m 6h 7d 2w`; margins `2%` (relative), `1pp` (percentage points) or `0.01`; shares `5%`
or `0.05`. `${NAME}`, quoted, reads an environment variable in a `uri`. A key left out has its default; a key without a
value is an error.
"""

_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Any: "any value",
    timedelta: "duration",
    Margin: "margin",
    OutOf: "`2 of 3`",
    Budget: "`1 per 90d`",
}


def reference() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_sections(), *_metrics()]).rstrip() + "\n"


def _sections() -> Iterator[str]:
    """One section per class, in the order in which they are first used."""
    for model, paths in _used().items():
        yield f"## {_heading(model, paths)}\n"
        yield f"{_sentence(model)}\n"
        yield "| key | type | default | |"
        yield "|---|---|---|---|"
        for name, field in shapes.keys(model).items():
            yield f"| `{name}` | {_type(shapes.whole(field))} | {_default(field)} | {field.description or ''} |"
        yield ""


def _heading(model: type[BaseModel], paths: list[str]) -> str:
    return "The file" if model is Spec else ", ".join(f"`{path}`" for path in dict.fromkeys(paths))


def _sentence(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _used() -> dict[type[BaseModel], list[str]]:
    """The classes, and the paths at which each is used."""
    used: dict[type[BaseModel], list[str]] = {Spec: [""]}
    _use(Spec, "", used)
    return used


def _use(model: type[BaseModel], path: str, used: dict[type[BaseModel], list[str]]) -> None:
    for name, field in shapes.keys(model).items():
        for place, found in _classes(shapes.whole(field), f"{path}.{name}" if path else name):
            if found is model:
                continue
            new = found not in used
            used.setdefault(found, []).append(place)
            if new:
                _use(found, place, used)


def _classes(annotation: Any, path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for item in shapes.options(annotation):
        if isinstance(item, type) and issubclass(item, BaseModel):
            yield path, item
        elif get_origin(item) is dict:
            yield from _classes(get_args(item)[1], f"{path}.NAME")
        elif get_origin(item) is tuple:
            yield from _classes(get_args(item)[0], f"{path}[]")


def _type(annotation: Any) -> str:
    if get_args(annotation) and Share in get_args(annotation):
        others = [item for item in get_args(annotation) if item not in (Share, type(None))]
        return " or ".join([*(_type(item) for item in others), "share"])
    words = [f"`{word}`" for word in shapes.literals(annotation)]
    for item in shapes.options(annotation):
        origin = get_origin(item)
        if isinstance(item, type) and issubclass(item, BaseModel):
            words.append("mapping")
        elif origin is dict:
            words.append(f"name: {_type(get_args(item)[1])}")
        elif origin is tuple:
            words.append(f"list of {_type(get_args(item)[0])}")
        elif item in _WORDS:
            words.append(_WORDS[item])
    return " or ".join(dict.fromkeys(words))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if value is None or value is PydanticUndefined else _value(value)


def _value(value: Any) -> str:
    plain = _plain(value)
    if plain in ({}, [], ""):
        return ""
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    unquoted = text if '""' in text else text.replace('"', "")
    return f"`{unquoted}`"


def _plain(value: Any) -> Any:
    """A default as it would be written."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    if isinstance(value, timedelta):
        return show_duration(value)
    if isinstance(value, Margin | OutOf | Budget):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _metrics() -> Iterator[str]:
    """The metrics that may be named."""
    yield "## Metrics\n"
    yield "| task | metrics | guards of a rollout |"
    yield "|---|---|---|"
    for task, names in METRICS.items():
        metrics = ", ".join(f"`{name}`" for name in names)
        guards = ", ".join(f"`{name}`" for name in (*RATES, *PAIRED[task]))
        yield f"| `{task}` | {metrics} | {guards} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
