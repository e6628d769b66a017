"""A small project in a folder, a store on SQLite, and a way to build."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelyard import data
from modelyard.clock import SimulatedClock
from modelyard.engines import LocalEngine
from modelyard.records import Version
from modelyard.spec.load import Project
from modelyard.spec.types import Spec
from modelyard.store import open_store

NOW = datetime(2024, 6, 1, tzinfo=UTC)


class Yard:
    """A project of `directory` whose declaration is a dict, with a store beside it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SimulatedClock(NOW)
        self.store = open_store(directory / "home", project="shop", clock=self.clock)
        self.project: Project | None = None

    def write(self, name: str, content: str | bytes) -> Path:
        """Put a file into the project."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def declare(self, **spec: Any) -> Project:
        """Set the declaration."""
        self.project = Project(self.directory, Spec.model_validate({"project": "shop"} | spec), "", self.directory)
        return self.project

    def build(self, name: str, *, as_of: datetime = NOW, fingerprint: str = "f", **more: Any) -> Version:
        """Build a dataset or view by name."""
        assert self.project is not None
        build = data.build_dataset if name in self.project.spec.datasets else data.build_view
        options = {"actor": "ada", "engine": LocalEngine()} | more
        return build(self.store, self.project, name, as_of=as_of, fingerprint=fingerprint, **options)

    def rows(self, version: Version, **options: Any) -> list[dict[str, Any]]:
        """The rows of a version, as it sorts them."""
        rows = data.read(self.store, version, **options).to_pylist()
        return sorted(rows, key=lambda row: [str(value) for value in row.values()])

    def source(self, content: str, *, sql: str = "SELECT * FROM raw", **source: Any) -> list[dict[str, Any]]:
        """The rows that a dataset makes of one CSV source."""
        self.write("raw.csv", content)
        self.declare(sources={"raw": {"uri": "raw.csv"} | source}, datasets={"kept": {"sql": sql}})
        return self.rows(self.build("kept"))


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


@pytest.fixture
def at() -> Callable[..., datetime]:
    """A time of 2024 in UTC, by month, day and hour."""
    return lambda month, day, hour=0: datetime(2024, month, day, hour, tzinfo=UTC)
