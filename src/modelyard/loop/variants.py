"""Variants of a policy: the same project with some values of its declaration changed, checked as that is."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from modelyard.errors import InputError, SpecError
from modelyard.spec import Project
from modelyard.spec.load import read
from modelyard.spec.types import Spec
from modelyard.spec.values import Plain, resolve

Choice = tuple[str, tuple[str, ...]]


def vary(project: Project, choices: tuple[Choice, ...]) -> Iterator[tuple[str, Project]]:
    """Every combination of the choices, named by what it changes; without choices the project as declared.

    A choice is a dotted path in the declaration and its values: `("models.late.window", ("90d", "365d"))`.
    """
    if not choices:
        yield "policy", project
        return
    for values in itertools.product(*(values for _, values in choices)):
        paths = [path for path, _ in choices]
        name = ", ".join(f"{path}={value}" for path, value in zip(paths, values, strict=True))
        dumped = project.spec.model_dump(mode="json", by_alias=True)
        for path, value in zip(paths, values, strict=True):
            _put(dumped, path, value)
        yield name, replace(project, spec=_read(dumped, name, project))


def _put(tree: dict[str, Any], path: str, value: str) -> None:
    *parents, last = path.split(".")
    place: Any = tree
    for depth, key in enumerate(parents):
        if not isinstance(place, dict) or key not in place:
            raise _unknown(path, ".".join(parents[:depth]), key, place)
        if place[key] is None:
            place[key] = {}
        place = place[key]
    if not isinstance(place, dict):
        raise _unknown(path, ".".join(parents), last, place)
    place[last] = None if value == "none" else resolve(Plain(value))


def _unknown(path: str, where: str, key: str, place: Any) -> InputError:
    near = get_close_matches(key, [str(name) for name in place] if isinstance(place, dict) else [], n=1)
    return InputError(
        f"there is no {key!r} in {where or 'the declaration'}",
        where=f"--vary {path}",
        hint=f"Did you mean {near[0]}?" if near else "Name a key of yard.yaml, such as models.late.window.",
    )


def _read(dumped: dict[str, Any], name: str, project: Project) -> Spec:
    """The changed declaration; InputError with every mistake in it."""
    try:
        return read(json.dumps(_given(dumped)), project.directory)  # JSON is YAML too
    except SpecError as error:
        said = "; ".join(f"{each.path}: {each.message} {each.hint}".strip() for each in error.problems)
        raise InputError(said, where=f"--vary {name}") from error


def _given(value: Any) -> Any:
    """A value without what is not set in it."""
    if isinstance(value, dict):
        return {key: _given(item) for key, item in value.items() if item is not None}
    return [_given(item) for item in value] if isinstance(value, list) else value
