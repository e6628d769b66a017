"""A small deployment with a real store: its release's reference, its logged answers, its labels."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelyard.clock import SimulatedClock
from modelyard.digest import canonical
from modelyard.records import Deployment, Label, Release, Segment
from modelyard.spec.types import Spec
from modelyard.stats import Profile
from modelyard.stats.performance import Performance
from modelyard.store import Store, open_store
from modelyard.store.predictions import COLUMNS

START = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CHAMPION = "c" * 64

SPEC = {
    "project": "shop",
    "sources": {"sales": {"uri": "sales.csv", "time": "at", "freshness": "2d"}},
    "datasets": {"orders": {"sql": "SELECT 1"}},
    "models": {
        "late": {
            "task": "binary_classification",
            "data": "orders",
            "target": "y",
            "train": "shop:fit",
            "split": {"mature": timedelta(days=2)},
        }
    },
    "deployments": {"api": {"model": "late"}},
    "monitors": {
        "health": {
            "deployment": "api",
            "every": timedelta(days=1),
            "window": timedelta(days=7),
            "quality": {"metric": "roc_auc", "min": 0.6},
        }
    },
}


def spec(**monitor: Any) -> Spec:
    """The declaration, with keys of its monitor changed."""
    health = {**SPEC["monitors"]["health"], **monitor}
    return Spec.model_validate({**SPEC, "monitors": {"health": health}})


def rows(
    rng: np.random.Generator,
    n: int,
    *,
    shift: float = 0.0,
    skill: float = 1.0,
    turned: float = 0.0,
    where: str = "",
    narrow: float = 1.0,
    share: float | None = None,
    only: str = "",
) -> dict[str, np.ndarray]:
    """Inputs, prediction and truth of `n` orders; `shift` moves the distance, `skill` 0 makes predictions worthless. With
    `share` so many orders are late, and those of each class are as they always were.

    Both only in the kind `where`, when it is given. `turned`: the share of labels that come out the other way; `narrow` draws the distances
    together, so that every order is a harder one; `only` one kind comes.
    """
    if share is not None:
        many = rows(rng, 12 * n)
        late, in_time = np.flatnonzero(many["truth"] == 1), np.flatnonzero(many["truth"] == 0)
        count = rng.binomial(n, share)
        kept = rng.permutation(np.concatenate([late[:count], in_time[: n - count]]))
        return {name: values[kept] for name, values in many.items()}
    kind = np.full(n, only) if only else rng.choice(["a", "b"], n, p=[0.7, 0.3])
    shift = np.where((kind == where) | (where == ""), shift, 0.0)
    distance = 10 + shift + rng.normal(0, 2, n) * narrow
    chance = 1 / (1 + np.exp(-(distance - 10 - shift) * skill))
    truth = (rng.random(n) < 1 / (1 + np.exp(-(distance - 10 - shift)))).astype(float)
    if turned:
        hit = (rng.random(n) < turned) & ((kind == where) | (where == ""))
        truth = np.where(hit, 1 - truth, truth)
    return {"distance": distance, "kind": kind, "prediction": chance if skill else rng.random(n), "truth": truth}


class World:
    """Answers by day, as serve would leave them."""

    def __init__(self, store: Store, clock: SimulatedClock) -> None:
        self.store, self.clock = store, clock
        self.rng = np.random.default_rng(11)
        table = self.table(rows(self.rng, 8_000))
        times = pa.array([START - DAY * 90 + DAY * 90 * (i / 8_000) for i in range(8_000)], pa.timestamp("us", "UTC"))
        reference = Profile.of(table, time=times)
        self.reference = store.blobs.put(canonical(reference.to_json()))
        self.performance = store.blobs.put(canonical(self.measured().to_json()))
        self.release(CHAMPION, 1)

    def measured(self) -> Performance:
        """What the release is worth on 4,000 orders that it has not seen."""
        made = rows(np.random.default_rng(12), 4_000)
        inputs = self.table(made).select(["distance", "kind"])
        seconds = START.timestamp() - 86_400 * np.linspace(40, 0, 4_000)
        return Performance.of(
            "binary_classification",
            made["truth"],
            made["prediction"],
            seconds=seconds,
            inputs=inputs,
            importance={"distance": 0.9, "kind": 0.1},
        )

    def weekly(self) -> None:
        """Serve a release that learnt 24 rows a day, in whose inputs the weekday is."""
        times = [START - DAY * 70 + DAY * (i / 24) for i in range(70 * 24)]
        table = self.table(rows(self.rng, len(times)))
        table = table.append_column("weekday", pa.array([at.isoweekday() for at in times]))
        reference = Profile.of(table, time=pa.array(times, pa.timestamp("us", "UTC")))
        self.reference = self.store.blobs.put(canonical(reference.to_json()))
        with self.store.transaction(actor="test", action="release.changed", subject="late@1") as transaction:
            transaction.change(Release, {"digest": CHAMPION}, body={"reference": self.reference})

    def table(self, made: dict[str, np.ndarray]) -> pa.Table:
        """What a reference holds: the inputs, and the prediction."""
        return pa.table({name: made[name] for name in ("distance", "kind", "prediction")})

    def release(self, digest: str, number: int, **body: Any) -> None:
        """Record a release and let it answer alone."""
        with self.store.transaction(actor="test", action="release.created", subject=f"late@{number}") as transaction:
            transaction.add(
                Release(
                    model="late",
                    number=number,
                    digest=digest,
                    state="live",
                    created=START,
                    as_of=START,
                    author="test",
                    body={"reference": self.reference, "performance": self.performance, **body},
                )
            )
            routes = {"arms": [{"arm": "champion", "release": digest, "weight": 1.0}], "shadows": []}
            if not transaction.change(Deployment, {"name": "api"}, routes=routes):
                transaction.add(Deployment(name="api", model="late", revision=1, routes=routes, at=START))

    def serve(
        self,
        day: int,
        n: int = 150,
        *,
        labels: bool = True,
        release: str = CHAMPION,
        weekday: bool = False,
        unit: float = 1.0,
        twice: bool = False,
        **change: Any,
    ) -> None:
        """Log the answers of one day, and their labels a day later; the distance in another `unit`, each order `twice`."""
        made = rows(self.rng, n // 2 if twice else n, **change)
        if twice:
            made = {name: np.concatenate([values, values]) for name, values in made.items()}
        begin = START + DAY * day
        name = f"day-{day}-{release[:1]}"
        at = [begin + DAY * (i / n) for i in range(n)]
        logged = {
            "request_id": [name] * n,
            "row": np.arange(n),
            "at": at,
            "arm": ["champion"] * n,
            "role": ["answer"] * n,
            "release": [release] * n,
            "key": [""] * n,
            "routing": [""] * n,
            "prediction": made["prediction"],
            "fallback": [False] * n,
            "warnings": ["[]"] * n,
            "error": [""] * n,
        }
        table = pa.table({**logged}).cast(pa.schema([COLUMNS.field(name) for name in logged]))
        table = table.append_column("in.distance", pa.array(made["distance"] * unit))
        table = table.append_column("in.kind", pa.array(made["kind"]))
        if weekday:
            table = table.append_column("in.weekday", pa.array([each.isoweekday() for each in at]))
        version = self.store.table("predictions/api").append(table, once=name)
        with self.store.transaction(actor="test", action="log.moved", subject="deployment.api") as transaction:
            transaction.add(
                Segment(
                    deployment="api", name=name, rows=n, start=at[0], end=at[-1], table_version=version, at=begin + DAY
                )
            )
            known = begin + DAY
            truths = enumerate(made["truth"].tolist()) if labels else ()
            transaction.add_all(
                Label(deployment="api", request_id=name, row=row, label=y, time=known, received=known)
                for row, y in truths
            )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A deployment that has answered nothing yet."""
    clock = SimulatedClock(START)
    with open_store(tmp_path / "home", project="shop", clock=clock) as store:
        yield World(store, clock)


@pytest.fixture
def declared() -> Any:
    """Makes the declaration, with keys of its monitor changed."""
    return spec
