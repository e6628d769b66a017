"""Variants of a policy: the same project with some values of its declaration changed. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from modelyard.errors import InputError
from modelyard.spec import Project
from modelyard.spec.types import Spec
from modelyard.spec.values import Plain

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
        yield name, replace(project, spec=_read(dumped, name))


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
    place[last] = None if value in ("none", "null") else Plain(value)


def _unknown(path: str, where: str, key: str, place: Any) -> InputError:
    near = get_close_matches(key, [str(name) for name in place] if isinstance(place, dict) else [], n=1)
    return InputError(
        f"there is no {key!r} in {where or 'the declaration'}",
        where=f"--vary {path}",
        hint=f"Did you mean {near[0]}?" if near else "Name a key of yard.yaml, such as models.late.window.",
    )


def _read(dumped: dict[str, Any], name: str) -> Spec:
    try:
        return Spec.model_validate(dumped)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{place}: {first['msg']}", where=f"--vary {name}") from error
