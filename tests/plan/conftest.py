"""A project as it was applied, and what a case changes in it: the ground of a plan without a store."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from modelyard.digest import digest
from modelyard.plan import Plan, Recorded, make
from modelyard.records import Declaration, Deployment, Release, Request, Version
from modelyard.spec import Project, load
from modelyard.spec.fingerprints import SHARED, build_order, fingerprints, parents, sources_of

PROJECT = Path(__file__).parent.parent / "cases/plan/project"
APPLIED = datetime(2013, 4, 1, tzinfo=UTC)
NEWEST = "2013-04-30T00:00:00+00:00"


@dataclass
class World:
    """What is declared and what is recorded."""

    project: Project
    sources: dict[str, str]
    recorded: Recorded
    as_of: datetime = APPLIED

    def plan(self) -> Plan:
        """The plan of this world."""
        return make(self.project.spec, fingerprints(self.project), self.sources, self.recorded, self.as_of)


def applied(folder: Path) -> World:
    """The project, applied to the end on 1 April: one live release, nothing left to do."""
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
    project = load(folder)
    sources = {name: f"files of {name}" for name in project.spec.sources}
    versions = {entity: version(project, entity, sources) for entity in build_order(project.spec)}
    release = Release(
        model="late",
        number=1,
        digest="r1",
        state="live",
        created=APPLIED,
        as_of=APPLIED,
        author="a",
        body={"version": {"digest": versions["model.late"].digest}},
    )
    deployment = Deployment(name="late-api", model="late", revision=1, routes={}, at=APPLIED)
    return World(project, sources, Recorded(declaration(project), versions, [release], [], [deployment], []), APPLIED)


def version(project: Project, entity: str, sources: dict[str, str]) -> Version:
    """A version of an entity as it is declared."""
    seen = {name: {"digest": sources[name], "time_max": NEWEST} for name in sources_of(project.spec, entity)}
    inputs = {name: f"content of {name}" for name in parents(project.spec, entity)}
    return Version(
        entity=entity,
        number=1,
        fingerprint=digest(fingerprints(project)[entity]),
        digest=f"content of {entity}",
        as_of=APPLIED,
        created=APPLIED,
        actor="a",
        body={"sources": seen, "inputs": inputs},
    )


def declaration(project: Project) -> Declaration:
    """The record of an applied declaration."""
    spec = project.spec.model_dump(mode="json", by_alias=True)
    parts = fingerprints(project)
    return Declaration(digest=digest([spec, parts]), spec=spec, fingerprints=parts, at=APPLIED, actor="a")


def change(world: World, case: dict[str, Any]) -> World:
    """The world after what a case says."""
    folder = world.project.directory
    for edit in case.get("edits", ()):
        text = (folder / edit["file"]).read_text()
        assert edit["replace"] in text, edit
        (folder / edit["file"]).write_text(text.replace(edit["replace"], edit["by"], 1))
    project = load(folder)
    as_of = case.get("as_of", date(2013, 4, 1))
    requests = [Request(key=str(item["id"]), kind="retrain", at=APPLIED, **item) for item in case.get("requests", ())]
    recorded = replace(_recorded(world.recorded, case.get("recorded", {}), project), requests=requests)
    moment = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
    return World(project, {**world.sources, **case.get("sources", {})}, recorded, moment)


def _recorded(recorded: Recorded, said: Any, project: Project) -> Recorded:
    if said == "nothing":
        return Recorded()
    last = declaration(project) if said.get("declared") == "after" else recorded.declaration
    assert last is not None
    parts = {name: item for name, item in last.fingerprints.items() if name not in said.get("undeclared", ())}
    assert set(SHARED) <= set(parts)
    versions = {name: item for name, item in recorded.versions.items() if name not in said.get("without", ())}
    for name, body in said.get("body", {}).items():
        versions[name] = replace(versions[name], body={**versions[name].body, **body})
    releases = [replace(item, state=said.get("state", item.state)) for item in said.get("releases", recorded.releases)]
    deployments = said.get("deployments", recorded.deployments)
    return Recorded(replace(last, fingerprints=parts), versions, releases, [], deployments, [])
