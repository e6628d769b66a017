"""What differs between two releases, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.records import Release
from modelyard.release.names import name

PARTS = ("dataset", "features", "code", "params", "seed", "lock", "split", "window", "signature", "artefact", "metrics")


def diff(a: Release, b: Release) -> dict[str, Any]:
    """`{"a", "b", "same": [part], "changes": [{"part", "path", "from", "to"}]}`; paths are dotted.

    Parts are the keys of a release's body, those that say where it comes from first.
    """
    parts = list(dict.fromkeys([*(part for part in PARTS if part in a.body or part in b.body), *a.body, *b.body]))
    changes: list[dict[str, Any]] = []
    same = []
    for part in parts:
        found = [
            {"part": part, "path": path, "from": old, "to": new}
            for path, old, new in _differences(a.body.get(part), b.body.get(part), part)
        ]
        changes += found
        if not found:
            same.append(part)
    return {"a": name(a), "b": name(b), "same": same, "changes": changes}


def _differences(old: Any, new: Any, path: str) -> list[tuple[str, Any, Any]]:
    """The leaves at which two JSON values differ.

    >>> _differences({"n": 1, "k": {"x": 2}}, {"n": 1, "k": {"x": 3, "y": 4}}, "params")
    [('params.k.x', 2, 3), ('params.k.y', None, 4)]
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = dict.fromkeys([*old, *new])
        return [each for key in keys for each in _differences(old.get(key), new.get(key), f"{path}.{key}")]
    return [] if old == new else [(path, old, new)]
