"""Fingerprints of a whole project: what each part follows, and what it costs."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelyard.plan import Recorded, make
from modelyard.spec import load
from modelyard.spec.fingerprints import SHARED, build_order, fingerprints, parents, sources_of

YARD = """
project: flights
sources: {flights: {uri: a.csv}, weather: {uri: b.csv}}
datasets:
  second: {sql: "SELECT * FROM first JOIN weather ON true"}
  first: {sql: SELECT * FROM flights}
features: {view: {entity: [x], from: first}}
models: {late: {task: regression, data: second, features: [view], target: y, train: "flights.model:fit"}}
deployments: {api: {model: late}}
monitors: {m: {deployment: api}}
"""


def test_what_lies_above_an_entity(folder: Path) -> None:
    (folder / "yard.yaml").write_text(YARD)
    spec = load(folder).spec
    assert build_order(spec) == ["dataset.first", "dataset.second", "feature.view", "model.late"]
    assert parents(spec, "dataset.second") == ["dataset.first"]
    assert parents(spec, "feature.view") == ["dataset.first"]
    assert parents(spec, "model.late") == ["dataset.second", "feature.view"]
    assert parents(spec, "deployment.api") == ["model.late"]
    assert parents(spec, "monitor.m") == parents(spec, "project") == []
    assert sources_of(spec, "dataset.second") == ["weather"]


def test_every_entity_has_parts_and_every_part_is_a_text(folder: Path) -> None:
    (folder / "yard.yaml").write_text(YARD)
    parts = fingerprints(load(folder))
    assert set(SHARED) <= set(parts)
    assert {"source.flights", "dataset.first", "feature.view", "model.late", "deployment.api", "monitor.m"} <= set(
        parts
    )
    assert all(isinstance(item, str) for group in parts.values() for item in group.values())


def test_a_hundred_entities_are_planned_well_within_a_second(folder: Path) -> None:
    (folder / "yard.yaml").write_text(generated(100))
    start = time.process_time()
    project = load(folder)
    plan = make(project.spec, fingerprints(project), {}, Recorded(), datetime.now(UTC))
    assert time.process_time() - start < 1
    assert len(plan.changes) == 100


def generated(entities: int) -> str:
    """A project of chains: dataset, feature view, model, deployment, monitor."""
    lines = ["project: many", "sources: {flights: {uri: a.csv, time: t}}"]
    sections: dict[str, list[str]] = {
        name: [f"{name}:"] for name in ("datasets", "features", "models", "deployments", "monitors")
    }
    for n in range(entities // 5):
        above = f"d{n - 1}" if n else "flights"
        sections["datasets"].append(
            f"  d{n}:\n    sql: SELECT *, {n} AS n FROM {above}\n    key: [id]\n    time: t\n    checks:\n"
            "      - {unique: [id]}\n      - {not_null: [id, t]}\n      - {row_count: {min: 5}}"
        )
        sections["features"].append(
            f"  v{n}: {{entity: [id], from: flights, sql: SELECT {n} AS n FROM flights, ttl: 3h}}"
        )
        sections["models"].append(
            f"  m{n}:\n    task: regression\n    data: d{n}\n    features: [v{n}]\n    target: y\n"
            f"    train: flights.model:fit\n    params: {{n: {n}}}\n    checks:\n"
            "      - {metric: {name: rmse, max: 5}}\n      - {better_than: {release: baseline, by: 2%}}"
        )
        sections["deployments"].append(f"  a{n}: {{model: m{n}, strategy: canary}}")
        sections["monitors"].append(f"  w{n}: {{deployment: a{n}, quality: {{metric: rmse, max: 5}}}}")
    return "\n".join([*lines, *(line for section in sections.values() for line in section)]) + "\n"


def test_a_project_with_an_environment_of_its_own_is_not_moved_by_what_is_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "yard.yaml").write_text(YARD)
    project = load(folder)
    held = replace(project, lock=project.environment())
    before = fingerprints(held)
    (folder / "new_package-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(folder))
    assert fingerprints(project) != before
    assert fingerprints(held) == before
