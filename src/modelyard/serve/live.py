"""Rows that were answered a moment ago: in the log of gateway processes, and not in the deployment's table yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from modelyard.serve import frames
from modelyard.serve.frames import Entry, Frame, Many, Shape
from modelyard.serve.moving import directory
from modelyard.store import Store


class Tail:
    """Reads each segment of one deployment's log as it grows, every byte once."""

    def __init__(self, store: Store, deployment: str) -> None:
        self._place = directory(store, deployment)
        self._ends: dict[str, int] = {}
        self._rows: dict[str, list[pa.Table]] = {}

    def rows(self) -> dict[str, pa.Table]:
        """The rows (without inputs) of every segment that is there, by its name; some may be in the table already."""
        paths = sorted(self._place.glob("*.log"))
        for path in paths:
            grown = frames.table(self._new(path))
            if len(grown):
                self._rows.setdefault(path.stem, []).append(grown)
        there = {path.stem for path in paths}
        self._ends = {name: end for name, end in self._ends.items() if name in there}
        self._rows = {name: parts for name, parts in self._rows.items() if name in there}
        return {name: pa.concat_tables(parts) for name, parts in self._rows.items()}

    def _new(self, path: Path) -> Iterator[Frame]:
        start = self._ends.get(path.stem, 0)
        try:
            for each in frames.read(path, start):
                self._ends[path.stem] = each.end
                match each.frame:
                    case Entry():
                        each.frame.inputs = None
                        yield each.frame
                    case Many():
                        each.frame.inputs = []
                        yield Shape(each.frame.release, {})
                        yield each.frame
        except FileNotFoundError:
            return  # moved meanwhile
