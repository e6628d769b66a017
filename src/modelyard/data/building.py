"""What is built: a dataset or feature view as declared, by whom, where and for which time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from modelyard.data.functions import Caller
from modelyard.engines import LocalEngine
from modelyard.features.shape import Known
from modelyard.records import Version
from modelyard.spec.load import Project
from modelyard.spec.tables import DataCheck
from modelyard.store import Held, Store


@dataclass(frozen=True)
class Declared:
    """What datasets and feature views have in common, as declared."""

    entity: str
    table: str
    reads: tuple[str, ...]
    sql: str | None
    python: str | None
    key: tuple[str, ...]
    time: str | None
    timezone: str
    known_at: tuple[Known, ...]
    checks: tuple[DataCheck, ...]
    is_view: bool

    @property
    def where(self) -> str:
        """How messages name it."""
        kind, name = self.entity.split(".", 1)
        return f"{'feature view' if self.is_view else kind} {name}"


@dataclass(frozen=True)
class Build:
    """Who builds what, where, and for which time."""

    store: Store
    project: Project
    declared: Declared
    as_of: datetime
    fingerprint: str
    actor: str
    engine: LocalEngine
    fence: Held | None
    gate: bool

    @property
    def caller(self) -> Caller:
        """Where declared functions run."""
        return Caller(self.engine, self.project.directory, self.store.files / "jobs")

    @property
    def latest(self) -> Version | None:
        """The newest version of what is built, if there is one."""
        found = self.store.read(Version, entity=self.declared.entity, order="number", descending=True, limit=1)
        return found[0] if found else None
