"""What differs between two declarations, in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

LONGEST = 60
MOST = 6


def differences(before: Any, after: Any, keys: Iterable[str] | None = None) -> list[str]:
    """One phrase per value that differs, only below `keys` if given.

    >>> differences({"params": {"depth": 3}, "seed": 7}, {"params": {"depth": 4}, "seed": 7})
    ['params.depth 3 -> 4']
    """
    before, after = before or {}, after or {}
    names = list(after) + [name for name in before if name not in after]
    wanted = names if keys is None else [name for name in names if name in set(keys)]
    return [phrase for name in wanted for phrase in _between(name, before.get(name), after.get(name))]


def _between(path: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*after, *(name for name in before if name not in after)]:
            yield from _between(f"{path}.{name}", before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(path, before, after)
    else:
        yield f"{path} {show(before)} -> {show(after)}"


def _lists(path: str, before: list[Any], after: list[Any]) -> Iterator[str]:
    if not any(isinstance(item, dict | list) for item in (*before, *after)):
        moved = [f"+ {show(item)}" for item in after if item not in before]
        moved += [f"- {show(item)}" for item in before if item not in after]
        yield f"{path}: {', '.join(moved) if moved else 'another order'}"
        return
    for index in range(max(len(before), len(after))):
        place = f"{path}[{index}]"
        if index >= len(before):
            yield f"{place} added: {show(after[index])}"
        elif index >= len(after):
            yield f"{place} removed: {show(before[index])}"
        else:
            yield from _between(place, before[index], after[index])


def show(value: Any) -> str:
    """A value in few characters; what is not set is "none"."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(_given(value), ensure_ascii=False)
    text = " ".join(text.replace('"', "").split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _given(value: Any) -> Any:
    """A value without what is not set in it."""
    if isinstance(value, dict):
        return {key: _given(item) for key, item in value.items() if item is not None}
    return [_given(item) for item in value] if isinstance(value, list) else value


def packages(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Which packages moved.

    >>> packages({"numpy": "2.0", "pandas": "2.2"}, {"numpy": "2.1", "polars": "2.0"})
    'packages moved: numpy 2.0 -> 2.1, pandas 2.2 removed, polars 2.0 added'
    """
    moved = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None:
            moved.append(f"{name} {new} added")
        elif new is None:
            moved.append(f"{name} {old} removed")
        elif old != new:
            moved.append(f"{name} {_versions(old, new)}")
    return f"packages moved: {some(moved)}" if moved else "the environment changed"


def _versions(old: str, new: str) -> str:
    """Two versions, without the note on what is installed where it is the same of both."""
    (before, _, note), (after, _, other) = old.partition(" ("), new.partition(" (")
    return f"{before} -> {after}" if note == other else f"{old} -> {new}"


def some(phrases: list[str]) -> str:
    """The first few phrases, and how many there are besides."""
    more = len(phrases) - MOST
    return ", ".join(phrases[:MOST]) + (f" and {more} more" if more > 0 else "")
