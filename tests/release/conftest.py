"""A yard with one model and its releases, and a prediction log that tests write by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelyard import release
from modelyard.clock import SimulatedClock
from modelyard.digest import digest
from modelyard.records import Alias, Audit, Deployment, Label, Release, Verdict, Version
from modelyard.release.decisions import Decision
from modelyard.spec.deployments import DeploymentSpec
from modelyard.spec.models import ApprovalRule
from modelyard.store import Store, open_store, predictions

ZERO = datetime(2013, 4, 1, tzinfo=UTC)
API = "late-api"


@dataclass
class Yard:
    """The store and its clock, with the verbs of the tests."""

    store: Store
    clock: SimulatedClock
    requests: list[int] = field(default_factory=list)

    def release(
        self, number: int, *, approval: ApprovalRule | None = None, body: dict[str, Any] | None = None
    ) -> Release:
        """Release number `number` of `late`, built at the clock's time."""
        now = self.clock.now()
        content = {"artefact": digest([number]), "params": {"n": number}, "classes": None, **(body or {})}
        content.setdefault("task", "binary_classification")
        version = Version(
            entity="model.late",
            number=number,
            fingerprint="f",
            digest=digest(content),
            as_of=now,
            created=now,
            actor="ann",
            body=content,
        )
        passed = Verdict(
            entity="model.late",
            subject=version.digest,
            check="roc_auc",
            severity="error",
            state="pass",
            says="fine",
            at=now,
        )
        return release.create(
            self.store, model="late", version=version, verdicts=[passed], author="ann", approval=approval
        )

    def tick(self, spec: DeploymentSpec, *, hours: float = 0.0, **how: Any) -> Decision:
        """Let the clock go on and the deployment move."""
        self.clock.set(self.clock.now() + timedelta(hours=hours))
        return release.tick(self.store, API, spec, now=self.clock.now(), actor="controller", **how)

    def deployment(self) -> Deployment:
        found = self.store.one(Deployment, name=API)
        assert found is not None
        return found

    def serving(self) -> int:
        """The number of the release that serves."""
        champion = self.deployment().routes["arms"][0]["release"]
        return next(each.number for each in self.store.read(Release, model="late") if each.digest == champion)

    def states(self) -> dict[int, str]:
        return {each.number: each.state for each in self.store.read(Release, model="late", order="number")}

    def aliases(self) -> dict[str, int]:
        return {each.alias: each.number for each in self.store.read(Alias, model="late")}

    def actions(self) -> list[str]:
        return [entry.action for entry in self.store.read(Audit, order="sequence")]

    def log(
        self,
        rows: int,
        *,
        hours: float = 24.0,
        errors: tuple[float, float] = (0.0, 0.0),
        quality: tuple[float, float] = (0.0, 0.0),
        labels: bool = True,
        seed: int = 0,
        noise: dict[int, float] | None = None,
        forced: bool = False,
        outside: float = 0.0,
    ) -> None:
        """Traffic of the next `hours` on the present routes: binary answers, whose log odds are off by noise `quality`.

        `errors` and `quality` are of (releases on trial, the other one). In probation that is champion and previous.
        `noise` is that of releases by number. `forced`: all rows named the challenger. `outside`: the share of rows
        outside the segment, which the champion answers; their noise is 9.
        """
        rng = np.random.default_rng(seed + len(self.requests))
        routes = self.deployment().routes
        start = self.clock.now()
        times = [start + timedelta(hours=hours) * (each + 0.5) / rows for each in range(rows)]
        truth = rng.normal(0, 1, rows)
        label = (rng.random(rows) < 1 / (1 + np.exp(-truth))).astype(float)
        request = f"r{len(self.requests)}"
        self.requests.append(rows)
        trial = "champion" if any(each["arm"] == "previous" for each in routes["shadows"]) else "challenger"
        edges = np.cumsum([arm["weight"] for arm in routes["arms"]])
        answering = np.searchsorted(edges, rng.random(rows), side="right")
        columns: dict[str, list[Any]] = {
            name: [] for name in ("row", "at", "arm", "role", "release", "prediction", "error", "propensity")
        }
        numbers = {each.digest: each.number for each in self.store.read(Release, model="late")}
        beyond = rng.random(rows) < outside
        answering = np.where(beyond, 0, answering)
        for number, arm in enumerate([*routes["arms"], *routes["shadows"]]):
            shadow = number >= len(routes["arms"])
            chosen = ~beyond if shadow else answering == number
            which = 0 if arm["arm"].startswith(trial) else 1
            if forced:
                chosen = np.full(rows, which == 0)
            off = (noise or {}).get(numbers[arm["release"]], quality[which])
            noisy = 1 / (1 + np.exp(-(truth + rng.normal(0, 1, rows) * np.where(beyond, 9.0, off))))
            broken = rng.random(rows) < errors[which]
            for row in np.flatnonzero(chosen):
                columns["row"].append(int(row))
                columns["at"].append(times[row])
                columns["arm"].append(arm["arm"])
                columns["role"].append("forced" if forced else "shadow" if shadow else "answer")
                columns["propensity"].append(None if shadow or forced or beyond[row] else arm["weight"])
                columns["release"].append(arm["release"])
                columns["prediction"].append(None if broken[row] else float(noisy[row]))
                columns["error"].append("model" if broken[row] else "")
        self._append(request, columns)
        if labels:
            self._label(request, times, label)

    def _append(self, request: str, columns: dict[str, list[Any]]) -> None:
        count = len(columns["row"])
        filled = {
            "request_id": [request] * count,
            "time": columns["at"],
            "key": [""] * count,
            "routing": [f"{request}/{row}" for row in columns["row"]],
            "predictions": [None] * count,
            "fallback": [False] * count,
            "warnings": [""] * count,
            "latency_ms": [1.0] * count,
            "weight": [1.0] * count,
            **columns,
        }
        table = pa.table(
            {name: pa.array(filled[name], predictions.COLUMNS.field(name).type) for name in predictions.COLUMNS.names}
        )
        self.store.table(f"predictions/{API}").append(table)

    def _label(self, request: str, times: list[datetime], label: np.ndarray) -> None:
        """Labels come an hour after the answer."""
        hour = timedelta(hours=1)
        with self.store.transaction(actor="world", action="feedback.received", subject=API) as tx:
            tx.add_all(
                Label(deployment=API, request_id=request, row=row, label=int(value), time=at + hour, received=at + hour)
                for row, (at, value) in enumerate(zip(times, label, strict=True))
            )


@pytest.fixture
def make_yard(tmp_path: Path) -> Iterator[Callable[..., Yard]]:
    stores = []

    def make(home: str | Path | None = None) -> Yard:
        clock = SimulatedClock(ZERO)
        store = open_store(home or tmp_path / "yard", project="flights", clock=clock)
        stores.append(store)
        return Yard(store, clock)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def yard(make_yard: Callable[..., Yard]) -> Yard:
    """On SQLite."""
    return make_yard()
